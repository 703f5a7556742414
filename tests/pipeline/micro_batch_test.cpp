// micro_batch_test.cpp - the most rows at once whose step fits, found in a few counts.
#include "pipeline/micro_batch.hpp"

#include <gmock/gmock.h>

namespace rgm {
namespace {

struct Found {
  int64_t rows = 0;
  int counts = 0;
};

Found rows_of(double most, int64_t batch, const std::function<double(int64_t)>& need) {
  Found out;
  out.rows = rows_within(most, batch, [&](int64_t rows) {
    ++out.counts;
    return std::optional(static_cast<uint64_t>(need(rows)));
  });
  return out;
}

// 100 for the weights and 10 for each row: 7 rows are 170.
TEST(RowsWithin, AreTheMostThatFitWhetherTheyDivideTheBatchOrNot) {
  const auto need = [](int64_t rows) { return 100 + 10.0 * static_cast<double>(rows); };
  EXPECT_EQ(rows_of(179, 8, need).rows, 7);
  EXPECT_EQ(rows_of(170, 8, need).rows, 7);
  EXPECT_EQ(rows_of(169, 8, need).rows, 6);
  EXPECT_EQ(rows_of(180, 8, need).rows, 8) << "the whole batch, and never more";
  EXPECT_EQ(rows_of(1e9, 8, need).rows, 8);
  EXPECT_EQ(rows_of(1e9, 8, need).counts, 1);
}

// What does not fit is told by who looks at it next.
TEST(RowsWithin, WhereNoneFitsOneIsLeft) {
  const auto need = [](int64_t rows) { return 100 + 10.0 * static_cast<double>(rows); };
  EXPECT_EQ(rows_of(50, 8, need).rows, 1);
  EXPECT_EQ(rows_of(50, 1, need).rows, 1);
  EXPECT_EQ(rows_of(119, 8, need).rows, 1);
}

TEST(RowsWithin, AFewCountsAreEnough) {
  const auto line = [](int64_t rows) { return 1e6 + 1000.0 * static_cast<double>(rows); };
  const Found found = rows_of(1e6 + 1000 * 77'777.0, 200'000, line);
  EXPECT_EQ(found.rows, 77'777);
  EXPECT_LE(found.counts, 5);
  // Nor do they take long where the line is none.
  const auto curve = [](int64_t rows) { return static_cast<double>(rows * rows); };
  const Found bent = rows_of(90'000, 200'000, curve);
  EXPECT_EQ(bent.rows, 300);
  EXPECT_LE(bent.counts, 30);
}

TEST(RowsWithin, WhatCannotBeCountedTakesTheWholeBatch) {
  EXPECT_EQ(rows_within(10, 8, [](int64_t) { return std::nullopt; }), 8);
}

}  // namespace
}  // namespace rgm
