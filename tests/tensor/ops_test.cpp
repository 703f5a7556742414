// ops_test.cpp - values and types of single operations, which a reader can check by hand.
#include <limits>

#include "offered.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

INSTANTIATE_TEST_SUITE_P(Offers, Ops, testing::Values(Offer::everything, Offer::nothing, Offer::refusals),
                         [](const auto& info) { return name_of(info.param); });

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

TEST_P(Ops, IntegersOfDifferentSizesJoinAsIntegers) {
  const Tensor joined = ops::concat(std::array{indices({16777217}), ops::cast(indices({1}), RGM_BOOL)}, 0);
  EXPECT_THAT(to_host<int32_t>(joined), ElementsAre(16777217, 1));
}

TEST_P(Ops, SelectTakesAnyConditionAndDropsTheOtherSide) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(to_host(ops::select(indices({1, 0, 7}), values({1, nan, 3}), ops::full({}, 9))), ElementsAre(1, 9, 3));
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

TEST_P(Ops, WhatComesLaterHasNoPartInARunningSum) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(to_host(ops::cumsum(values({1, 2, 4, 8, 16}), 0)), ElementsAre(1, 3, 7, 15, 31));
  EXPECT_THAT(to_host(ops::cumsum(values({1, infinity}), 0)), ElementsAre(1, infinity));
}

TEST_P(Ops, PickRefusesAnIndexOutsideOfItsRow) {
  const Tensor x = values({1, 2, 3, 4}, {2, 2});
  EXPECT_THAT(to_host(ops::pick(x, indices({1, 0}))), ElementsAre(2, 3));
  EXPECT_NE(message([&] { ops::pick(x, indices({0, -1})); }), "");  // would be the last of the row before
  EXPECT_NE(message([&] { ops::pick(x, indices({2, 0})); }), "");
}

TEST_P(Ops, AnIndexIsAWholeNumber) {
  EXPECT_THAT(message([] {
                ops::gather(values({1, 2, 3}), 0, values({1.7F}));
              }),
              HasSubstr("gather: the index is float32, whole numbers were expected"));
}

TEST_P(Ops, SumOfSquaresOfSeveral) {
  const Tensor xs[] = {values({1, 2}), values({3}), ops::transpose(values({1, 1, 1, 1}, {2, 2}))};
  EXPECT_EQ(item(ops::sum_of_squares(xs)), 18);
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

}  // namespace
}  // namespace rgm::test
