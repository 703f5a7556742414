// ops_test.cpp - values of operations that a reader can check by hand, types, views, messages.
#include <limits>
#include <numeric>

#include "fixture.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Ops : public testing::TestWithParam<Offer> {
 protected:
  OnDevice device{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Offers, Ops, testing::Values(Offer::everything, Offer::nothing, Offer::refusals),
                         [](const auto& info) { return name_of(info.param); });

template <class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
  return "";
}

TEST_P(Ops, BroadcastFromTheRight) {
  const Tensor y = values({1, 2}, {2, 1}) + values({10, 20, 30});
  EXPECT_EQ(y.shape(), Shape({2, 3}));
  EXPECT_THAT(to_host(y), ElementsAre(11, 21, 31, 12, 22, 32));
  EXPECT_THAT(message([] { values({1, 2}) + values({1, 2, 3}); }), HasSubstr("(2) and (3) do not broadcast"));
}

TEST_P(Ops, IntegersStayIntegersAndBecomeFloatsWithFloats) {
  const Tensor i = indices({3, -2});
  EXPECT_EQ((i + indices({1, 1})).dtype(), RGM_I32);
  EXPECT_EQ((i * values({0.5, 0.5})).dtype(), RGM_F32);
  EXPECT_EQ(ops::affine(i, 2, 1).dtype(), RGM_I32);
  EXPECT_THAT(to_host<int32_t>(ops::affine(i, 2, 1)), ElementsAre(7, -3));
  EXPECT_THAT(to_host(ops::affine(i, 0.5, 0)), ElementsAre(1.5, -1));
  EXPECT_EQ(ops::binary(RGM_LESS, i, i).dtype(), RGM_BOOL);
}

TEST_P(Ops, SelectTakesAnyConditionAndDropsTheOtherSide) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(to_host(ops::select(indices({1, 0, 7}), values({1, nan, 3}), ops::full({}, 9))), ElementsAre(1, 9, 3));
}

TEST_P(Ops, ViewsShareMemoryWhereStridesAllowIt) {
  const Tensor x = ops::reshape(ops::cast(ops::iota(24), RGM_F32), {2, 12});
  const Tensor heads = ops::reshape(ops::slice(x, 1, 4, 8), {2, 2, 2});
  EXPECT_EQ(heads.view().data, static_cast<char*>(x.view().data) + 16);
  EXPECT_THAT(to_host(heads), ElementsAre(4, 5, 6, 7, 16, 17, 18, 19));
  const Tensor turned = ops::reshape(ops::transpose(x), {-1});
  EXPECT_NE(turned.view().data, x.view().data);
  EXPECT_THAT(to_host(ops::slice(turned, 0, 0, 4)), ElementsAre(0, 12, 1, 13));
  EXPECT_THAT(message([&] { ops::reshape(x, {5, -1}); }), HasSubstr("does not fit into (5, -1)"));
}

TEST_P(Ops, ReduceMaximumAndLogsumexp) {
  const Tensor x = values({1, 3, 2, 0, 0, 0}, {2, 3});
  EXPECT_THAT(to_host(ops::reduce(RGM_MAXIMUM, 2, x)), ElementsAre(3, 0));
  EXPECT_THAT(to_host(ops::reduce(RGM_MEAN, 1, x)), ElementsAre(0.5, 1.5, 1));
  EXPECT_NEAR(to_host(ops::reduce(RGM_LOGSUMEXP, 2, x))[1], std::log(3), 1e-6);
  EXPECT_NEAR(item(ops::reduce(RGM_LOGSUMEXP, ~0U, ops::affine(x, 0, 1000))), 1000 + std::log(6), 1e-3);
}

TEST_P(Ops, TopKTakesTheFirstOfEqualOnes) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto [v, i] = ops::top_k(values({2, 5, 5, 1, -infinity, -infinity, 3, -infinity}, {2, 4}), 3);
  EXPECT_THAT(to_host(v), ElementsAre(5, 5, 2, 3, -infinity, -infinity));
  EXPECT_THAT(to_host<int32_t>(i), ElementsAre(1, 2, 0, 2, 0, 1));
  EXPECT_EQ(ops::top_k(values({1, 2}), 0).first.shape(), Shape({0}));
}

TEST_P(Ops, SegmentSumLeavesPaddingOut) {
  const Tensor y = ops::segment_sum(values({1, 2, 4, 8, 16, 32}, {2, 3}), indices({1, 1, 0, 2, 2, 0}, {2, 3}), 3);
  EXPECT_THAT(to_host(y), ElementsAre(3, 24, 0));
}

TEST_P(Ops, CumsumAndPick) {
  EXPECT_THAT(to_host(ops::cumsum(values({1, 2, 3, 4}, {2, 2}), 0)), ElementsAre(1, 2, 4, 6));
  EXPECT_THAT(to_host(ops::pick(values({1, 2, 3, 4}, {2, 2}), indices({1, 0}))), ElementsAre(2, 3));
}

TEST_P(Ops, NormsOfASimpleRow) {
  const Tensor x = values({1, 3}, {1, 2}), w = values({2, 2}), b = values({0, 1});
  EXPECT_THAT(to_host(ops::layer_norm(x, w, b, 0)), ElementsAre(-2, 3));
  EXPECT_NEAR(to_host(ops::rms_norm(x, w, 0))[0], 2 / std::sqrt(5), 1e-6);
  EXPECT_THAT(message([&] {
                ops::rms_norm(x, values({1, 1, 1}), 0);
              }),
              HasSubstr("rms_norm: weight has 3 elements, x has 2 channels"));
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

TEST_P(Ops, AdamWFirstStepIsTheRate) {
  const Tensor p = values({1, -1}), m = ops::full({2}, 0), v = ops::full({2}, 0), g = values({0.5, -2});
  const Tensor hyper = values({0.1f, 0.9f, 0.99f, 0, 0.5f, 0.1f, 0.01f, 1});
  const ops::AdamWItem items[] = {{g, p, m, v}};
  ops::adamw(hyper, items);
  // 1 - 0.1 * 0.5 * 1 - 0.1 * sign(g)
  EXPECT_NEAR(to_host(p)[0], 0.85, 1e-6);
  EXPECT_NEAR(to_host(p)[1], -0.85, 1e-6);
  EXPECT_NEAR(to_host(m)[0], 0.05, 1e-6);
  EXPECT_NEAR(to_host(v)[1], 0.04, 1e-6);
}

// A mean over 1,000 steps of ones: 1 - 0.999^1000 = 0.632 of the way. In bfloat16 a step of 0.001 vanishes beside 0.5,
// whose neighbour is 0.504, unless now and then it is rounded up.
TEST_P(Ops, MomentsInBfloat16AreRoundedWithoutBias) {
  const Tensor p = ops::full({64}, 1), g = ops::full({64}, 1);
  const Tensor m = ops::full({64}, 0, RGM_BF16), v = ops::full({64}, 0, RGM_BF16);
  const Tensor hyper = values({0, 0.999f, 0.999f, 1e-8f, 0, 1, 1, 1});
  const ops::AdamWItem same[] = {{g, p, m, v, {}, ops::full({}, 5, RGM_I32)}};
  if (!ops::has_narrow_adamw()) {
    EXPECT_THROW(ops::adamw(hyper, same), Error);
    return;
  }
  for (int32_t step = 0; step < 1000; ++step) {
    const ops::AdamWItem item{g, p, m, v, {}, ops::reshape(indices({step * 7919}), {})};
    ops::adamw(hyper, std::span(&item, 1));
  }
  for (const Tensor& moments : {m, v}) {
    const auto all = to_host(moments);
    EXPECT_NEAR(std::accumulate(all.begin(), all.end(), 0.0) / 64, 0.632, 0.01);
    EXPECT_NE(all[0], all[1]);
  }
  EXPECT_NE(to_host(m), to_host(v));  // of other bits
  const Tensor m2 = ops::contiguous(ops::cast(m, RGM_F32)), v2 = ops::cast(v, RGM_F32);
  ops::adamw(hyper, same);
  const auto once = to_host(m);
  assign(m, m2), assign(v, v2);
  ops::adamw(hyper, same);
  EXPECT_EQ(to_host(m), once);
}

TEST_P(Ops, SumOfSquaresOfSeveral) {
  const Tensor xs[] = {values({1, 2}), values({3}), ops::transpose(values({1, 1, 1, 1}, {2, 2}))};
  EXPECT_EQ(item(ops::sum_of_squares(xs)), 18);
}

TEST_P(Ops, RandomNumbersBelongToSeedStepMicroBatchSiteAndCall) {
  const auto draw = [](const RandomKey& key, int calls = 0) {
    const RandomScope scope(key);
    for (int i = 0; i < calls; ++i) ops::random({1}, RGM_UNIFORM);
    return to_host(ops::random({4}, RGM_UNIFORM));
  };
  const RandomKey key{.seed = 1, .step = 2, .micro_batch = 3, .site = 4};
  EXPECT_EQ(draw(key), draw(key));
  EXPECT_NE(draw(key), draw({.seed = 2, .step = 2, .micro_batch = 3, .site = 4}));
  EXPECT_NE(draw(key), draw({.seed = 1, .step = 3, .micro_batch = 3, .site = 4}));
  EXPECT_NE(draw(key), draw({.seed = 1, .step = 2, .micro_batch = 4, .site = 4}));
  EXPECT_NE(draw(key), draw({.seed = 1, .step = 2, .micro_batch = 3, .site = 5}));
  EXPECT_NE(draw(key), draw(key, 1));
}

TEST_P(Ops, DrawsOfOneSiteDoNotMoveThoseOfAnother) {
  const auto draw_at_two = [](int draws_at_one) {
    const RandomScope scope({.seed = 1});
    {
      const SiteScope one(1);
      for (int i = 0; i < draws_at_one; ++i) ops::random({1}, RGM_UNIFORM);
    }
    const SiteScope two(2);
    return to_host(ops::random({4}, RGM_UNIFORM));
  };
  EXPECT_EQ(draw_at_two(0), draw_at_two(3));
  const RandomScope scope({.seed = 1});
  const auto at_one = [] {
    const SiteScope one(1);
    return to_host(ops::random({4}, RGM_UNIFORM));
  };
  const auto first = at_one();
  EXPECT_NE(first, at_one());
}

TEST_P(Ops, DrawsAreRepeatedFromAnEarlierStateAndGoOnAfterwards) {
  const auto draw = [] { return to_host(ops::random({4}, RGM_UNIFORM)); };
  const RandomScope scope({.seed = 1});
  const auto first = draw();
  const RandomState state = random_state();
  const auto second = draw();
  {
    const RandomScope same(state.key, state.calls);
    EXPECT_EQ(draw(), second);
  }
  const auto third = draw();
  const RandomScope anew({.seed = 1});
  EXPECT_EQ(draw(), first);
  EXPECT_EQ(draw(), second);
  EXPECT_EQ(draw(), third);
}

TEST_P(Ops, DropoutKeepsTheMean) {
  const Tensor x = ops::full({20000}, 1);
  const std::vector<float> y = to_host(ops::dropout(x, 0.25));
  double sum = 0;
  for (const float v : y) {
    EXPECT_TRUE(v == 0 || std::abs(v - 4.0f / 3) < 1e-6);
    sum += v;
  }
  EXPECT_NEAR(sum / 20000, 1, 0.02);  // three deviations of the mean are 0.012
  const NoGradient no_gradient;
  EXPECT_EQ(ops::dropout(x, 0.25).get(), x.get());
}

TEST_P(Ops, MessagesNameTheOperation) {
  EXPECT_THAT(message([] {
                ops::matmul(sample({2, 3}, 1), false, sample({2, 3}, 1), false);
              }),
              HasSubstr("matmul: (2, 3) and (2, 3) do not fit"));
  EXPECT_THAT(message([] {
                ops::linear(sample({2, 3}, 1), sample({3}, 1));
              }),
              HasSubstr("linear: weight has 1 dimensions, expected 2"));
  EXPECT_THAT(message([] { ops::slice(sample({2, 3}, 1), 1, 2, 4); }), HasSubstr("slice: [2, 4) of axis 1"));
}

// A custom operation: y = x^2, dx = 2 x dy.
struct Squares {
  int forwards = 0, backwards = 0, drops = 0;
};
rgm_status square(void* user, rgm_tensor* const* in, rgm_tensor** out) {
  ++static_cast<Squares*>(user)->forwards;
  out[0] = ops::unary(RGM_SQUARE, Tensor::share(in[0])).release();
  return RGM_OK;
}
rgm_status square_back(void* user, rgm_tensor* const* in, rgm_tensor* const*, rgm_tensor* const* dout,
                       rgm_tensor** din) {
  ++static_cast<Squares*>(user)->backwards;
  din[0] = (2 * (Tensor::share(in[0]) * Tensor::share(dout[0]))).release();
  return RGM_OK;
}
void drop_squares(void* user) { ++static_cast<Squares*>(user)->drops; }

TEST_P(Ops, CustomOperationsHaveTheirOwnGradient) {
  const rgm_custom_op op{sizeof op, 0, "square", square, square_back, drop_squares};
  Squares squares;
  const Tensor x = trained(values({3, -1}));
  {
    Tensor y;
    ops::custom(op, &squares, std::span(&x, 1), std::span(&y, 1));
    EXPECT_EQ(squares.drops, 0);
    backward(ops::sum(y));
  }
  EXPECT_THAT(to_host(x.gradient()), ElementsAre(6, -2));
  EXPECT_EQ(squares.backwards, 1);
  EXPECT_EQ(squares.drops, 1);
  const NoGradient no_gradient;
  Tensor y;
  ops::custom(op, &squares, std::span(&x, 1), std::span(&y, 1));
  EXPECT_EQ(squares.drops, 2);
}

TEST_P(Ops, PickRefusesAnIndexOutsideOfItsRow) {
  const Tensor x = values({1, 2, 3, 4}, {2, 2});
  EXPECT_THAT(to_host(ops::pick(x, indices({1, 0}))), ElementsAre(2, 3));
  EXPECT_NE(message([&] { ops::pick(x, indices({0, -1})); }), "");  // would be the last of the row before
  EXPECT_NE(message([&] { ops::pick(x, indices({2, 0})); }), "");
}

TEST_P(Ops, WhatComesLaterHasNoPartInARunningSum) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(to_host(ops::cumsum(values({1, 2, 4, 8, 16}), 0)), ElementsAre(1, 3, 7, 15, 31));
  EXPECT_THAT(to_host(ops::cumsum(values({1, infinity}), 0)), ElementsAre(1, infinity));
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

TEST_P(Ops, OneTensorAsWeightAndBiasOfANormGetsBothGradients) {
  const Tensor p = trained(values({1, 1})), x = values({-1, 1}, {1, 2});
  backward(ops::sum(ops::layer_norm(x, p, p, 0)));
  EXPECT_THAT(to_host(p.gradient()), ElementsAre(0, 2));  // dw = x normed = (-1, 1), db = (1, 1)
}

TEST_P(Ops, IntegersOfDifferentSizesJoinAsIntegers) {
  const Tensor joined = ops::concat(std::array{indices({16777217}), ops::cast(indices({1}), RGM_BOOL)}, 0);
  EXPECT_THAT(to_host<int32_t>(joined), ElementsAre(16777217, 1));
}

TEST_P(Ops, AReshapeOfNothingLeavesNoSizeOpen) {
  EXPECT_THAT(message([] { ops::reshape(ops::full({0, 5}, 0), {0, -1}); }), HasSubstr("leaves a size open"));
}

// 2^62 numbers are 2^64 bytes, and 2^32 times 2^32 is 2^64: as sizes of 64 bits, both are none.
TEST_P(Ops, AShapeThatNoMemoryHoldsIsRefused) {
  constexpr int64_t one = 1;
  EXPECT_THAT(message([] { ops::full({one << 62}, 0); }),
              HasSubstr("(4611686018427387904) has more elements than any"));
  EXPECT_THAT(message([] { ops::full({one << 32, one << 32}, 0); }), HasSubstr("(4294967296, 4294967296) has more"));
  EXPECT_THAT(message([] { ops::reshape(ops::full({0}, 0), {one << 32, one << 32}); }), HasSubstr("has more elements"));
  EXPECT_THAT(message([] { ops::segment_sum(values({1}), indices({1}), (one << 62) - 1); }), HasSubstr("has more"));
  EXPECT_EQ(Shape({0, one << 40}).count(), 0);
}

TEST_P(Ops, AxesCountFromTheEndAndStayWithinTheRank) {
  const Tensor x = values({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_THAT(to_host(ops::permute(x, std::array{-1, 0})), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(message([&] { ops::permute(x, std::array{1, -1}); }), HasSubstr("not a permutation: 1 is there twice"));
  EXPECT_THAT(message([&] {
                ops::permute(x, std::array{2, 0});
              }),
              HasSubstr("permute: axis 2 of a tensor with 2 axes"));
  EXPECT_THAT(message([&] { ops::reduce(RGM_SUM, 1U << 2, x); }), HasSubstr("axes 0x4 of a tensor with 2 axes"));
  EXPECT_EQ(item(ops::reduce(RGM_SUM, ~0U, x)), 21);
}

TEST_P(Ops, AnIndexIsAWholeNumber) {
  EXPECT_THAT(message([] {
                ops::gather(values({1, 2, 3}), 0, values({1.7F}));
              }),
              HasSubstr("gather: the index is float32, whole numbers were expected"));
}

TEST_P(Ops, AssignReadsWhatItOverwritesFirst) {
  const Tensor square = values({0, 1, 2, 3}, {2, 2}), row = values({0, 1, 2, 3});
  assign(square, ops::transpose(square));
  EXPECT_THAT(to_host(square), ElementsAre(0, 2, 1, 3));
  assign(ops::slice(row, 0, 1, 4), ops::slice(row, 0, 0, 3));
  EXPECT_THAT(to_host(row), ElementsAre(0, 0, 1, 2));
}

// The gradient is asked for long after the call that made the operation has returned.
TEST_P(Ops, WhatGoesWrongInABackwardNamesThePlugin) {
  const rgm_custom_op op{sizeof op,
                         0,
                         nullptr,
                         square,
                         [](void*, rgm_tensor* const*, rgm_tensor* const*, rgm_tensor* const*, rgm_tensor**) {
                           return keep_failure(RGM_INVALID, "no root");
                         },
                         nullptr};
  Squares squares;
  const Tensor x = trained(values({3, -1}));
  Tensor y;
  call_plugin("strategy \"mine\" (mine.so)", "loss", [&] {
    ops::custom(op, &squares, std::span(&x, 1), std::span(&y, 1));
    return rgm_status{RGM_OK};
  });
  EXPECT_EQ(message([&] { backward(ops::sum(y)); }),
            "strategy \"mine\" (mine.so), operation \"custom\": backward failed: no root");
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
