// label_counts_test.cpp - precision, recall and F1 of labels, from counts that fit on a page.
#include "generate/label_counts.hpp"

#include <gmock/gmock.h>

namespace rgm {
namespace {

using testing::ElementsAre;

TEST(LabelCounts, ScoresFollowFromTheMatrix) {
  LabelCounts counts(3);
  // The first label is found twice of three times, the second once of two times, the third always.
  for (const auto& [truth, predicted] :
       std::vector<std::pair<size_t, size_t>>{{0, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 2}})
    counts.add(predicted, truth);
  EXPECT_THAT(counts.matrix_row(0), ElementsAre(2, 1, 0));
  EXPECT_THAT(counts.matrix_row(1), ElementsAre(0, 1, 1));
  EXPECT_THAT(counts.matrix_row(2), ElementsAre(0, 0, 1));
  const LabelScore first = counts.score(0), second = counts.score(1), third = counts.score(2);
  EXPECT_DOUBLE_EQ(first.precision, 1);
  EXPECT_DOUBLE_EQ(first.recall, 2.0 / 3);
  EXPECT_DOUBLE_EQ(first.f1, 0.8);
  EXPECT_EQ(first.support, 3);
  EXPECT_DOUBLE_EQ(second.precision, 0.5);
  EXPECT_DOUBLE_EQ(second.recall, 0.5);
  EXPECT_DOUBLE_EQ(second.f1, 0.5);
  EXPECT_DOUBLE_EQ(third.precision, 0.5);
  EXPECT_DOUBLE_EQ(third.recall, 1);
  EXPECT_DOUBLE_EQ(third.f1, 2.0 / 3);
  EXPECT_NEAR(counts.macro_f1(), (0.8 + 0.5 + 2.0 / 3) / 3, 1e-12);
}

// As scikit-learn does with zero_division=0, and with the labels that it finds.
TEST(LabelCounts, WhatWouldBeDividedByZeroIsZero) {
  LabelCounts counts(3);
  counts.add(0, 0);
  counts.add(1, 0);
  EXPECT_EQ(counts.score(1).precision, 0) << "predicted once, and wrong";
  EXPECT_EQ(counts.score(1).recall, 0) << "no example has it";
  EXPECT_EQ(counts.score(1).f1, 0);
  EXPECT_EQ(counts.score(2).precision, 0) << "never predicted";
  EXPECT_DOUBLE_EQ(counts.score(0).f1, 2.0 / 3);
  EXPECT_NEAR(counts.macro_f1(), (2.0 / 3 + 0) / 2, 1e-12) << "the third label is nowhere, and is left out";
  EXPECT_EQ(LabelCounts(2).macro_f1(), 0);
}

TEST(LabelCounts, WithoutATruthPredictionsAreCounted) {
  LabelCounts counts(2);
  counts.add(1, std::nullopt);
  counts.add(1, std::nullopt);
  EXPECT_EQ(counts.predicted(0), 0);
  EXPECT_EQ(counts.predicted(1), 2);
  EXPECT_EQ(counts.score(1).support, 0);
}

TEST(LabelCounts, AMatrixHasAtMostTwentyLabels) {
  LabelCounts most(20), more(21);
  most.add(19, 19);
  more.add(20, 20);
  EXPECT_EQ(most.matrix_row(19)[19], 1);
  EXPECT_TRUE(more.matrix_row(20).empty());
  EXPECT_EQ(more.score(20).f1, 1);
}

}  // namespace
}  // namespace rgm
