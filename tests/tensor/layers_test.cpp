// layers_test.cpp - what a transformer's layers are made of: norms, attention, and heads with their losses.
#include "offered.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_P(Ops, NormsOfASimpleRow) {
  const Tensor x = values({1, 3}, {1, 2}), w = values({2, 2}), b = values({0, 1});
  EXPECT_THAT(to_host(ops::layer_norm(x, w, b, 0)), ElementsAre(-2, 3));
  EXPECT_NEAR(to_host(ops::rms_norm(x, w, 0))[0], 2 / std::sqrt(5), 1e-6);
  EXPECT_THAT(message([&] {
                ops::rms_norm(x, values({1, 1, 1}), 0);
              }),
              HasSubstr("rms_norm: weight has 3 elements, x has 2 channels"));
}

TEST_P(Ops, OneTensorAsWeightAndBiasOfANormGetsBothGradients) {
  const Tensor p = trained(values({1, 1})), x = values({-1, 1}, {1, 2});
  backward(ops::sum(ops::layer_norm(x, p, p, 0)));
  EXPECT_THAT(to_host(p.gradient()), ElementsAre(0, 2));  // dw = x normed = (-1, 1), db = (1, 1)
}

TEST_P(Ops, AttentionOfPaddingIsZero) {
  const Tensor q = sample({1, 3, 1, 2}, 1);
  ops::AttentionOptions o;
  o.q_segments = o.k_segments = indices({1, 1, 0}, {1, 3});
  const std::vector<float> y = to_host(ops::attention(q, q, q, o)), x = to_host(q);
  EXPECT_NEAR(y[0], x[0], 1e-6);  // the first query sees itself alone
  EXPECT_EQ(y[4], 0);
  EXPECT_EQ(y[5], 0);
}

TEST_P(Ops, HeadLogprobsOfAUniformHead) {
  const Tensor x = sample({2, 3}, 1), w = ops::full({4, 3}, 0);
  const auto [logprobs, entropy] = ops::head_logprobs(x, w, indices({1, -1}), true, {});
  EXPECT_NEAR(to_host(logprobs)[0], -std::log(4), 1e-6);
  EXPECT_EQ(to_host(logprobs)[1], 0);
  EXPECT_NEAR(to_host(entropy)[0], std::log(4), 1e-6);
  EXPECT_EQ(to_host(entropy)[1], 0);
}

TEST_P(Ops, HeadsOfManyRowsAreDoneInChunks) {
  const int64_t M = 80, V = 70000;  // 59 rows of 70,000 logits at once
  const Tensor x = trained(sample({M, 1}, 1)), w = trained(sample({V, 1}, 2));
  const Tensor targets = ops::iota(M);
  const Tensor loss = ops::head_cross_entropy(x, w, targets, ops::full({M}, 1), {});
  backward(loss);
  const Tensor logits = ops::matmul(ops::detach(x), false, ops::detach(w), true);
  EXPECT_NEAR(item(loss), -item(ops::sum(ops::pick(ops::log_softmax(logits, 1), targets))), 1e-2);
  // Adding a constant to all logits of a row changes nothing: with w = 1 everywhere dx would be 0; here the sum of dw x
  // equals the sum of x dx, as the loss depends on the product alone.
  EXPECT_NEAR(item(ops::sum(w.gradient() * ops::detach(w))), item(ops::sum(x.gradient() * ops::detach(x))), 1e-3);
}

TEST_P(Ops, DivergenceOfEqualDistributionsIsZero) {
  const Tensor x = trained(sample({3, 4}, 1)), w = sample({5, 4}, 2);
  for (const int32_t kind : {1, 2, 3}) {
    const Tensor loss = ops::head_divergence(x, w, ops::detach(x), w, ops::full({3}, 1), kind, {}, {});
    EXPECT_NEAR(item(loss), 0, 1e-6);
    backward(loss);
    for (const float g : to_host(x.take_gradient())) EXPECT_NEAR(g, 0, 1e-6);
  }
}

// Both have the logits (1, -1); the teacher's, capped at 1, are 0.7616 and -0.7616. With s = 1 / (1 + e^-2x) of each,
// 0.8808 and 0.8210, the divergence is 0.8210 log(0.8210 / 0.8808) + 0.1790 log(0.1790 / 0.1192).
TEST_P(Ops, StudentAndTeacherHaveTheirOwnSoftCaps) {
  const Tensor x = values({1}, {1, 1}), w = values({1, -1}, {2, 1});
  const Tensor d = ops::head_divergence(x, w, x, w, values({1}), RGM_FORWARD_KL, {}, {.softcap = 1});
  EXPECT_NEAR(item(d), 0.0150, 1e-4);
  EXPECT_NEAR(item(ops::head_divergence(x, w, x, w, values({1}), RGM_FORWARD_KL, {.softcap = 1}, {.softcap = 1})), 0,
              1e-6);
}

// With logits (0, -200) both probabilities of the second token vanish.
TEST_P(Ops, DivergencesStayFiniteWhereProbabilitiesVanish) {
  const Tensor x = trained(values({1}, {1, 1})), w = values({0, -200}, {2, 1});
  for (const int32_t kind : {RGM_FORWARD_KL, RGM_REVERSE_KL, RGM_JENSEN_SHANNON}) {
    const Tensor d = ops::head_divergence(x, w, values({1}, {1, 1}), w, values({1}), kind, {}, {});
    EXPECT_EQ(item(d), 0) << kind;
    backward(d);
    EXPECT_EQ(item(x.take_gradient()), 0) << kind;
  }
}

}  // namespace
}  // namespace rgm::test
