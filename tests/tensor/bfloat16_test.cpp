// bfloat16_test.cpp - which tensors and gradients are bfloat16, and that a backend which refuses that computes the
// same.
#include "tensor/float_only.hpp"
#include "tensor/support.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;

class BFloat16 : public testing::TestWithParam<bool> {
 protected:
  OnDevice device = GetParam() ? OnDevice(float_only()) : OnDevice();
};
INSTANTIATE_TEST_SUITE_P(Backends, BFloat16, testing::Bool(),
                         [](const auto& info) { return info.param ? "FloatOnly" : "Reference"; });

Tensor half_of(const Tensor& x) {
  const NoGradient no_gradient;
  const Tensor half = ops::cast(x, RGM_BF16);
  half.set_master(x);
  return half;
}

TEST_P(BFloat16, TheMasterGetsTheGradientInFloat32) {
  const Tensor w = trained(values({1, 0.5, -1, 2}, {2, 2})), half = half_of(w);
  EXPECT_TRUE(half.needs_gradient());
  const Tensor x = ops::cast(values({1, 2, 3, 4}, {2, 2}), RGM_BF16);
  for (int i = 0; i < 2; ++i) backward(ops::sum(ops::linear(x, half)));
  EXPECT_EQ(w.gradient().dtype(), RGM_F32);
  EXPECT_THAT(to_host(w.take_gradient()), ElementsAre(8, 12, 8, 12));
  w.set_trained(false);
  EXPECT_FALSE(half.needs_gradient());
}

TEST_P(BFloat16, ALinearLayerAnswersWhatItIsAskedFor) {
  const Tensor x = ops::cast(values({1, 2}, {1, 2}), RGM_BF16), w = values({1, 0.5, -1, 2}, {2, 2}), half = half_of(w);
  EXPECT_EQ(ops::linear(x, half).dtype(), RGM_F32);
  for (const Tensor& weight : {half, w}) {
    const Tensor y = ops::linear(x, weight, values({1, 1}), RGM_RELU, {}, RGM_BF16);
    EXPECT_EQ(y.dtype(), RGM_BF16);
    EXPECT_THAT(to_host(y), ElementsAre(3, 4));
  }
  const Tensor y = ops::linear(x, half, {}, 0, values({0.001F, 0}, {1, 2}));
  EXPECT_EQ(y.dtype(), RGM_F32);
  EXPECT_THAT(to_host(y), ElementsAre(2.001F, 3));
}

// One element whose gradient comes from three sides, through shapes.
TEST_P(BFloat16, GradientsOfActivationsAddUp) {
  const Tensor x = trained(values({1, 2, 3, 4}, {2, 2}));
  const Tensor a = ops::cast(x, RGM_BF16);
  const Tensor y = ops::multiply(a, ops::reshape(ops::transpose(ops::transpose(a)), {2, 2}));
  EXPECT_EQ(y.dtype(), RGM_BF16);
  const int64_t sizes[] = {1, 1};
  const auto parts = ops::split(y, 1, sizes);
  backward(ops::sum(ops::concat(std::array{parts[0], ops::slice(y, 1, 0, 1)}, 1)) + ops::sum(a));
  EXPECT_THAT(to_host(x.gradient()), ElementsAre(5, 1, 13, 1));
}

TEST_P(BFloat16, ARepeatedOneIsSummedInFloat32) {
  const Tensor x = trained(values({1}, {1}));
  backward(ops::sum(ops::broadcast(ops::cast(x, RGM_BF16), {1000, 1})));
  EXPECT_THAT(to_host(x.gradient()), ElementsAre(1000));  // bfloat16 would stop at 256
}

TEST_P(BFloat16, AdamWRefreshesTheCopyAsACastWould) {
  const Tensor p = sample({5, 7}, 1), g = sample({5, 7}, 2), m = zeros({5, 7}), v = zeros({5, 7}), half = half_of(p);
  const float hyper[] = {0.01F, 0.9F, 0.95F, 1e-8F, 0.1F, 0.1F, 0.05F, 1};
  const ops::AdamWItem items[] = {{g, p, m, v, half}};
  ops::adamw(from_host(hyper, {8}), items);
  EXPECT_EQ(to_host(half), to_host(ops::cast(p, RGM_BF16)));
}

}  // namespace
}  // namespace rgm::test
