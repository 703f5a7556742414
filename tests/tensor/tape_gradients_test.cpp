// tape_gradients_test.cpp - the gradients that the tape leaves: exact, of their own memory, and none where none is.
#include <limits>

#include "fixture.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;

using Tape = TensorTest;

TEST_F(Tape, AddsExactlyWhereAGradientIsNoSum) {
  const Tensor x = trained(values({1, 2, 3}));
  for (int i = 0; i < 3; ++i) backward(ops::sum(x * values({0.5, 0.25, -2})));
  EXPECT_THAT(to_host(x.gradient()), ElementsAre(1.5, 0.75, -6));
}

// 2 x gives 2 everywhere, and the rows get 10 and 20 more; what is added is made when the walk comes there.
TEST_F(Tape, AGradientIsAddedOnTheWay) {
  const Tensor x = trained(from_host(std::vector<float>{1, 2, 3, 4}, {2, 2}));
  int asked = 0;
  const Tensor y = ops::with_gradient(x, [&] {
    ++asked;
    return from_host(std::vector<float>{10, 20}, {2, 1});
  });
  EXPECT_THAT(to_host(y), ElementsAre(1, 2, 3, 4));
  const Tensor loss = ops::sum(2.0 * y);
  EXPECT_EQ(asked, 0);
  backward(loss);
  EXPECT_EQ(asked, 1);
  EXPECT_THAT(to_host(x.gradient()), ElementsAre(12, 12, 22, 22));
}

TEST_F(Tape, FrozenWeightsCostNoProduct) {
  static int products = 0;
  products = 0;
  static rgm_kernels kernels = *reference().kernels(nullptr);
  kernels.matmul = [](rgm_queue* q, double alpha, const rgm_view* a, const rgm_view* b, double beta,
                      const rgm_view* y) {
    ++products;
    return reference().kernels(nullptr)->matmul(q, alpha, a, b, beta, y);
  };
  kernels.linear_grad = [](rgm_queue* q, const rgm_linear_grad* a) {
    products += (a->dx ? 1 : 0) + (a->dw ? 1 : 0);
    return reference().kernels(nullptr)->linear_grad(q, a);
  };
  static rgm_backend backend = reference();
  backend.kernels = [](rgm_device*) -> const rgm_kernels* { return &kernels; };
  for (const bool by_one_kernel : {true, false}) {
    if (!by_one_kernel) kernels.linear_grad = nullptr;
    const OnDevice counting(backend);
    const Tensor x = trained(sample({3, 4}, 1)), frozen = sample({5, 4}, 2);
    const Tensor y = ops::sum(ops::linear(x, frozen));
    products = 0;
    backward(y);
    EXPECT_EQ(products, 1);
    EXPECT_FALSE(frozen.gradient());
    EXPECT_TRUE(x.gradient());
  }
}

// The gradient of up, whose activation the layer behind it can see to; unless others see its result, too.
enum class OtherUse { none, earlier, later };
std::vector<float> gradient_behind_activation(Offer offer, OtherUse other, bool residual) {
  const OnDevice device(offer);
  const Tensor x = sample({3, 4}, 1), up = trained(sample({6, 4}, 2)), down = trained(sample({4, 6}, 3));
  const Tensor more = residual ? trained(sample({3, 6}, 4)) : Tensor();
  const Tensor wide = ops::linear(x, up, {}, RGM_GELU_TANH, more);
  const Tensor before = other == OtherUse::earlier ? ops::sum(wide * wide) : Tensor();
  Tensor loss = ops::sum(ops::linear(wide, down) * sample({3, 4}, 5));
  if (other == OtherUse::earlier) loss = loss + before;
  if (other == OtherUse::later) loss = loss + ops::sum(wide * wide);
  backward(loss);
  std::vector<float> out = to_host<float>(up.gradient());
  if (residual) {
    const auto of_residual = to_host<float>(more.gradient());
    out.insert(out.end(), of_residual.begin(), of_residual.end());
  }
  return out;
}

TEST(TapeOfAnActivation, HasOneGradientWhoeverSeesToIt) {
  for (const OtherUse other : {OtherUse::none, OtherUse::earlier, OtherUse::later})
    for (const bool residual : {false, true})
      EXPECT_THAT(
          gradient_behind_activation(Offer::everything, other, residual),
          testing::Pointwise(testing::FloatNear(2e-6f), gradient_behind_activation(Offer::forward, other, residual)))
          << int(other) << residual;
}

TEST_F(Tape, LeavesHaveGradientsOfTheirOwn) {
  const Tensor a = trained(values({1, 2})), b = trained(values({3, 4}));
  backward(ops::sum(a + b));
  EXPECT_NE(a.gradient().view().data, b.gradient().view().data);
  EXPECT_THAT(to_host(a.gradient()), ElementsAre(1, 1));
  EXPECT_EQ(a.gradient().view().stride[0], 1);
}

TEST_F(Tape, GradientsHaveTheStridesOfATransposedParameter) {
  const Tensor stored = sample({4, 5}, 3);
  rgm_view turned = stored.view();
  std::swap(turned.shape[0], turned.shape[1]);
  std::swap(turned.stride[0], turned.stride[1]);
  const Tensor w = trained(alias(stored, turned));
  backward(ops::sum(ops::linear(sample({3, 4}, 1), w)));
  EXPECT_EQ(w.gradient().view().stride[0], 1);
  EXPECT_EQ(w.gradient().view().stride[1], 5);
}

TEST_F(Tape, SelectKeepsNanOnItsSide) {
  const Tensor x = trained(values({-1, 4}));
  const Tensor good = ops::binary(RGM_LESS, ops::full({}, 0), x);
  backward(ops::sum(ops::select(good, ops::unary(RGM_SQRT, ops::select(good, x, ops::full({}, 1))), x)));
  EXPECT_THAT(to_host(x.gradient()), ElementsAre(1, 0.25));
}

TEST_F(Tape, EqualOnesShareTheGradient) {
  const Tensor a = trained(values({1, 2})), b = trained(values({1, 3}));
  backward(ops::sum(ops::binary(RGM_MAX, a, b)));
  EXPECT_THAT(to_host(a.gradient()), ElementsAre(0.5, 0));
  EXPECT_THAT(to_host(b.gradient()), ElementsAre(0.5, 1));
  const Tensor x = trained(values({5, 5, 1}));
  backward(ops::reduce(RGM_MAXIMUM, 1, x));
  EXPECT_THAT(to_host(x.gradient()), ElementsAre(0.5, 0.5, 0));
}

TEST_F(Tape, LogsumexpOfMinusInfinityHasNoGradient) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor x = trained(values({-infinity, -infinity, 0, -infinity}, {2, 2}));
  const Tensor y = ops::reduce(RGM_LOGSUMEXP, 2, x);
  EXPECT_THAT(to_host(y), ElementsAre(-infinity, 0));
  backward(ops::sum(y));
  EXPECT_THAT(to_host(x.gradient()), ElementsAre(0, 0, 1, 0));
}

TEST_F(Tape, CastsToSixteenBitsPassTheGradientOn) {
  const Tensor x = trained(values({1, 2}));
  const Tensor y = ops::cast(x, RGM_BF16);
  EXPECT_EQ(y.dtype(), RGM_BF16);
  const Tensor z = y * y;
  EXPECT_EQ(z.dtype(), RGM_F32);
  backward(ops::sum(z));
  EXPECT_THAT(to_host(x.gradient()), ElementsAre(2, 4));
}

TEST_F(Tape, ProductsOfSixteenBitsComeBackInSixteenBits) {
  const Tensor x = trained(values({1, 2, 3, 4}, {2, 2})), w = trained(values({1, 0.5, -1, 2}, {2, 2}));
  for (const bool fused : {false, true}) {
    const Tensor a = ops::cast(x, RGM_BF16), b = ops::cast(w, RGM_BF16);
    const Tensor y = fused ? ops::linear(a, b) : ops::matmul(a, false, b, true);
    EXPECT_EQ(y.dtype(), RGM_F32);
    EXPECT_THAT(to_host(y), ElementsAre(2, 3, 5, 5));
    backward(ops::sum(y));
    EXPECT_THAT(to_host(x.take_gradient()), ElementsAre(0, 2.5, 0, 2.5));
    EXPECT_THAT(to_host(w.take_gradient()), ElementsAre(4, 6, 4, 6));
  }
}

}  // namespace
}  // namespace rgm::test
