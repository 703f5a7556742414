// repeat_test.cpp - a batch for the members of an ensemble: whole copies behind each other, whose examples have numbers
// of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/batch.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;

// Two examples of 2 and 1 tokens in one row of 3.
TEST(Repeat, EveryMemberHasACopyOfEveryExample) {
  Batch batch;
  batch.examples = 2;
  batch.columns["text"] = pack(std::vector<TokenExample>{{{5, 6}, {0, 1}}, {{7}, {1}}}, 3);
  batch.columns["label"] = {.kind = ColumnKind::integer, .integers = {1, 0}};
  batch.columns["text.value"] = {.kind = ColumnKind::per_token, .reals = {0.5F, 1, 2}, .rows = 1, .length = 3};
  const Batch out = repeated(batch, 3);
  EXPECT_EQ(out.examples, 6);
  const BatchColumn& text = out.columns.at("text");
  EXPECT_EQ(text.rows, 3);
  EXPECT_EQ(text.length, 3);
  EXPECT_THAT(text.integers, ElementsAre(5, 6, 7, 5, 6, 7, 5, 6, 7));
  EXPECT_THAT(text.segments, ElementsAre(1, 1, 2, 3, 3, 4, 5, 5, 6));
  EXPECT_THAT(text.ends, ElementsAre(1, 2, 4, 5, 7, 8));
  EXPECT_THAT(text.reals, ElementsAre(0, 1, 0, 0, 1, 0, 0, 1, 0));
  EXPECT_THAT(out.columns.at("label").integers, ElementsAre(1, 0, 1, 0, 1, 0));
  EXPECT_THAT(out.columns.at("text.value").reals, ElementsAre(0.5F, 1, 2, 0.5F, 1, 2, 0.5F, 1, 2));
  EXPECT_THAT(out.columns.at("member").integers, ElementsAre(0, 0, 1, 1, 2, 2));
}

// Whatever a group is called, no member shares it with another.
TEST(Repeat, EveryMemberHasGroupsOfItsOwn) {
  Batch batch;
  batch.examples = 3;
  batch.columns["group"] = {.kind = ColumnKind::integer, .integers = {2147483647, 5, 2147483647}};
  EXPECT_THAT(repeated(batch, 2, {"group"}).columns.at("group").integers, ElementsAre(0, 1, 0, 2, 3, 2));
}

// Padding is nobody's example in any copy.
TEST(Repeat, PaddingStaysPadding) {
  Batch batch;
  batch.examples = 2;
  batch.columns["text"] = pack(std::vector<TokenExample>{{{5, 6}, {0, 1}}, {{7}, {1}}}, 2);
  EXPECT_THAT(repeated(batch, 2).columns.at("text").segments, ElementsAre(1, 1, 2, 0, 3, 3, 4, 0));
}

}  // namespace
}  // namespace rgm
