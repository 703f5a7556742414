// shapes_test.cpp - shapes, axes and views: what shares memory, what is copied, and what fits nowhere.
#include "offered.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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

TEST_P(Ops, AssignReadsWhatItOverwritesFirst) {
  const Tensor square = values({0, 1, 2, 3}, {2, 2}), row = values({0, 1, 2, 3});
  assign(square, ops::transpose(square));
  EXPECT_THAT(to_host(square), ElementsAre(0, 2, 1, 3));
  assign(ops::slice(row, 0, 1, 4), ops::slice(row, 0, 0, 3));
  EXPECT_THAT(to_host(row), ElementsAre(0, 0, 1, 2));
}

}  // namespace
}  // namespace rgm::test
