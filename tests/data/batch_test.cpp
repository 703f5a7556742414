// batch_test.cpp - the columns of a batch as plug-ins get and set them, and as a checkpoint keeps them.
#include "data/batch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "data/host_device.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;

class BatchTest : public testing::Test {
 protected:
  // Rows of 6: [1 1 1 3 3], [2 2 2 2 0]
  BatchTest() {
    const std::vector<TokenExample> examples{
        {{10, 11, 12}, {1, 1, 1}}, {{20, 21, 22, 23}, {0, 0, 1, 1}}, {{30, 31}, {1, 1}}};
    batch.examples = 3;
    batch.columns["text"] = pack(examples, 6);
    BatchColumn label;
    label.kind = ColumnKind::integer;
    label.integers = {1, 0, 1};
    batch.columns["label"] = label;
  }
  test::HostDevice device;
  Batch batch;
};

TEST_F(BatchTest, TokensComeWithTheirParts) {
  EXPECT_EQ(column(batch, "text").shape(), (Shape{2, 5}));
  EXPECT_THAT(to_host<int32_t>(column(batch, "text.segments")), ElementsAre(1, 1, 1, 3, 3, 2, 2, 2, 2, 0));
  EXPECT_THAT(to_host<float>(column(batch, "text.weights")), ElementsAre(0, 1, 1, 0, 1, 0, 0, 1, 1, 0));
  EXPECT_THAT(to_host<int32_t>(column(batch, "text.ends")), ElementsAre(2, 8, 4));
  EXPECT_THAT(to_host<int32_t>(column(batch, "label")), ElementsAre(1, 0, 1));
}

// Two rows of one example each part nothing, and attention needs no mask for them.
TEST_F(BatchTest, SegmentsSayWhetherTheyPartAnything) {
  EXPECT_FALSE(column(batch, "text.segments").get()->one_segment);
  const std::vector<TokenExample> whole{{{10, 11, 12}, {1, 1, 1}}, {{20, 21, 22}, {1, 1, 1}}};
  batch.columns["text"] = pack(whole, 4);
  batch.uploaded.clear();
  EXPECT_THAT(to_host<int32_t>(column(batch, "text.segments")), ElementsAre(1, 1, 1, 2, 2, 2));
  EXPECT_TRUE(column(batch, "text.segments").get()->one_segment);
}

TEST_F(BatchTest, AColumnIsUploadedOnce) {
  EXPECT_EQ(column(batch, "text.weights").get(), column(batch, "text.weights").get());
}

TEST_F(BatchTest, WhatIsNotThereIsAnEmptyHandle) {
  EXPECT_FALSE(column(batch, "absent"));
  EXPECT_FALSE(column(batch, "label.segments"));
  EXPECT_FALSE(has_column(batch, "text.advantages"));
  EXPECT_TRUE(has_column(batch, "text.ends"));
}

TEST_F(BatchTest, AValueForEachExampleCanBeSet) {
  const std::vector<float> score{0.5F, 1, 2};
  set_column(batch, "score", from_host(score, {3}));
  EXPECT_THAT(batch.columns.at("score").reals, ElementsAre(0.5F, 1, 2));
  EXPECT_THAT(to_host(column(batch, "score")), ElementsAre(0.5F, 1, 2));
  const std::vector<int32_t> group{4, 4, 5};
  set_column(batch, "score", from_host(group, {3}));
  EXPECT_THAT(to_host<int32_t>(column(batch, "score")), ElementsAre(4, 4, 5));
}

TEST_F(BatchTest, AValueForEachTokenCanBeSet) {
  const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  set_column(batch, "text.advantages", from_host(values, {2, 5}));
  EXPECT_EQ(column(batch, "text.advantages").shape(), (Shape{2, 5}));
  EXPECT_EQ(total(batch, "text.advantages", false), 45);
  set_column(batch, "text.weights", from_host(values, {2, 5}));
  EXPECT_EQ(to_host(column(batch, "text.weights"))[9], 10);
}

TEST_F(BatchTest, OtherShapesAreRefused) {
  const std::vector<float> values{1, 2, 3, 4};
  EXPECT_THROW(set_column(batch, "score", from_host(values, {4})), Error);
  EXPECT_THROW(set_column(batch, "text.score", from_host(values, {2, 2})), Error);
  EXPECT_THROW(set_column(batch, "other.score", from_host(values, {2, 2})), Error);
  const std::vector<float> three{1, 2, 3};
  EXPECT_THROW(set_column(batch, "text", from_host(three, {3})), Error);
  EXPECT_THROW(set_column(batch, "text.ends", from_host(three, {3})), Error);
}

TEST_F(BatchTest, TextsAreKeptByExample) {
  set_text(batch, "answer", 1, "four");
  EXPECT_EQ(text_of(batch, "answer", 1), "four");
  EXPECT_EQ(text_of(batch, "answer", 0), "");
  EXPECT_THROW(text_of(batch, "answer", 3), Error);
  EXPECT_THROW(text_of(batch, "label", 0), Error);
  EXPECT_THROW(set_text(batch, "answer", 3, "x"), Error);
}

TEST_F(BatchTest, ANewBatchGrowsByItsTexts) {
  Batch made;
  set_text(made, "text", 0, "first");
  set_text(made, "text", 1, "second");
  EXPECT_EQ(made.examples, 2);
  const std::vector<float> score{1, 2};
  set_column(made, "score", from_host(score, {2}));
  EXPECT_EQ(total(made, "score", false), 3);
}

TEST_F(BatchTest, TheFirstTokensAreFoundByName) {
  EXPECT_EQ(first_tokens(batch), "text");
  EXPECT_EQ(first_tokens(Batch{}), "");
}

TEST_F(BatchTest, ComesBackFromACheckpoint) {
  set_text(batch, "answer", 1, "four");
  const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  set_column(batch, "text.advantages", from_host(values, {2, 5}));
  std::vector<SavedArray> arrays;
  const auto description = parse_json(save(batch, arrays).dump());
  const Batch back = load(description, arrays);
  EXPECT_EQ(back.examples, 3);
  ASSERT_EQ(back.columns.size(), batch.columns.size());
  for (const auto& [name, c] : batch.columns) {
    const BatchColumn& b = back.columns.at(name);
    EXPECT_EQ(b.kind, c.kind) << name;
    EXPECT_EQ(b.integers, c.integers) << name;
    EXPECT_EQ(b.reals, c.reals) << name;
    EXPECT_EQ(b.texts, c.texts) << name;
    EXPECT_EQ(b.segments, c.segments) << name;
    EXPECT_EQ(b.ends, c.ends) << name;
    EXPECT_EQ(b.rows, c.rows) << name;
    EXPECT_EQ(b.length, c.length) << name;
  }
  arrays.pop_back();
  EXPECT_THROW(load(description, arrays), Error);
}

}  // namespace
}  // namespace rgm
