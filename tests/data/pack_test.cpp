// pack_test.cpp - short examples share rows, and what hangs on their tokens goes where they go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "data/batch.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;

TokenExample example(std::vector<int32_t> ids) {
  TokenExample out{std::move(ids), {}};
  out.weights.assign(out.ids.size(), 1.0F);
  return out;
}

// Lengths 3, 4 and 2 in rows of 6: the third fits behind the first.
const std::vector<TokenExample> three{example({10, 11, 12}), example({20, 21, 22, 23}), example({30, 31})};

TEST(Pack, ThreeFourTwoFillTwoRowsOfSix) {
  const BatchColumn c = pack(three, 6);
  EXPECT_EQ(c.rows, 2);
  EXPECT_EQ(c.length, 5);  // as long as the longest row
  EXPECT_THAT(c.integers, ElementsAre(10, 11, 12, 30, 31, 20, 21, 22, 23, 0));
  EXPECT_THAT(c.segments, ElementsAre(1, 1, 1, 3, 3, 2, 2, 2, 2, 0));
  EXPECT_THAT(c.reals, ElementsAre(0, 1, 1, 0, 1, 0, 1, 1, 1, 0));
  EXPECT_THAT(c.ends, ElementsAre(2, 8, 4));
}

TEST(Pack, BehindAPromptFirstTokensCountToo) {
  EXPECT_THAT(pack(three, 6, /*predicts_first=*/true).reals, ElementsAre(1, 1, 1, 1, 1, 1, 1, 1, 1, 0));
}

TEST(Pack, ARowMayBeFull) {
  const BatchColumn c = pack(three, 7);
  EXPECT_EQ(c.rows, 2);
  EXPECT_THAT(c.segments, ElementsAre(1, 1, 1, 2, 2, 2, 2, 3, 3, 0, 0, 0, 0, 0));
}

TEST(Pack, LongExamplesAreCut) {
  const BatchColumn c = pack(three, 2);
  EXPECT_EQ(c.rows, 3);
  EXPECT_THAT(c.integers, ElementsAre(10, 11, 20, 21, 30, 31));
  EXPECT_THAT(c.ends, ElementsAre(1, 3, 5));
}

TEST(Pack, NothingPacksToNothing) {
  const BatchColumn c = pack({}, 6);
  EXPECT_EQ(c.rows, 0);
  EXPECT_TRUE(c.ends.empty());
}

TEST(Pack, AnExampleWithoutTokensIsRefused) {
  const std::vector<TokenExample> bad{example({})};
  EXPECT_THROW(pack(bad, 6), Error);
}

Batch three_answers() {
  Batch batch;
  batch.examples = 3;
  batch.columns["completion"] = pack(three, 6);
  BatchColumn advantages;
  advantages.kind = ColumnKind::per_token;
  advantages.rows = 2;
  advantages.length = 5;
  advantages.reals = {0.1F, 0.2F, 0.3F, 3.1F, 3.2F, 2.1F, 2.2F, 2.3F, 2.4F, 99};
  batch.columns["completion.advantages"] = advantages;
  BatchColumn score;
  score.reals = {1, 2, 3};
  batch.columns["score"] = score;
  BatchColumn origin;
  origin.kind = ColumnKind::integer;
  origin.integers = {7, 7, 8};
  batch.columns["origin"] = origin;
  BatchColumn text;
  text.kind = ColumnKind::text;
  text.texts = {"a", "b", "c"};
  batch.columns["text"] = text;
  return batch;
}

TEST(Select, EverythingFollowsItsExample) {
  const Batch batch = three_answers();
  const std::vector<int64_t> chosen{2, 1};
  const Batch out = select(batch, chosen, 6);
  EXPECT_EQ(out.examples, 2);
  const BatchColumn& c = out.columns.at("completion");
  EXPECT_THAT(c.integers, ElementsAre(30, 31, 20, 21, 22, 23));  // 2 and 4 tokens share a row of 6
  EXPECT_THAT(c.segments, ElementsAre(1, 1, 2, 2, 2, 2));
  EXPECT_THAT(c.reals, ElementsAre(0, 1, 0, 1, 1, 1));
  EXPECT_THAT(c.ends, ElementsAre(1, 5));
  EXPECT_THAT(out.columns.at("completion.advantages").reals, ElementsAre(3.1F, 3.2F, 2.1F, 2.2F, 2.3F, 2.4F));
  EXPECT_THAT(out.columns.at("score").reals, ElementsAre(3, 2));
  EXPECT_THAT(out.columns.at("origin").integers, ElementsAre(8, 7));
  EXPECT_THAT(out.columns.at("text").texts, ElementsAre("c", "b"));
}

TEST(Select, AnExampleMayBeTakenTwice) {
  const Batch batch = three_answers();
  const std::vector<int64_t> chosen{0, 0};
  const Batch out = select(batch, chosen, 3);
  EXPECT_THAT(out.columns.at("completion").integers, ElementsAre(10, 11, 12, 10, 11, 12));
  EXPECT_THAT(out.columns.at("completion").segments, ElementsAre(1, 1, 1, 2, 2, 2));
}

TEST(Select, ThereIsNoFourthExample) {
  const std::vector<int64_t> chosen{3};
  EXPECT_THROW(select(three_answers(), chosen, 6), Error);
}

TEST(Total, CountsExamplesGroupsAndSums) {
  const Batch batch = three_answers();
  EXPECT_EQ(total(batch, "completion", false), 3);
  EXPECT_EQ(total(batch, "completion.weights", false), 6);  // 9 tokens, of which 3 are predicted by nothing
  EXPECT_EQ(total(batch, "origin", true), 2);
  EXPECT_EQ(total(batch, "origin", false), 22);
  EXPECT_EQ(total(batch, "score", false), 6);
  EXPECT_EQ(total(batch, "text", true), 3);
  EXPECT_NEAR(total(batch, "completion.advantages", false), 15.9, 1e-5);  // without the padding's 99
  EXPECT_THROW(total(batch, "absent", false), Error);
}

}  // namespace
}  // namespace rgm
