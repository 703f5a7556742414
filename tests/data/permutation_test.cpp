// permutation_test.cpp - a shuffle visits everything once.
#include <gtest/gtest.h>

#include <vector>

#include "base/error.hpp"
#include "data/source.hpp"

namespace rgm {
namespace {

TEST(Permutation, VisitsEachOfOneToTwoHundredOnce) {
  for (int64_t n = 1; n <= 200; ++n)
    for (const uint64_t key : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
      std::vector<int> visits(static_cast<size_t>(n));
      for (int64_t i = 0; i < n; ++i) {
        const int64_t unit = permuted(i, n, key);
        ASSERT_GE(unit, 0);
        ASSERT_LT(unit, n);
        ++visits[static_cast<size_t>(unit)];
      }
      for (const int count : visits) ASSERT_EQ(count, 1) << n;
    }
}

TEST(Permutation, AnotherKeyIsAnotherOrder) {
  int same = 0;
  for (int64_t i = 0; i < 1000; ++i) same += permuted(i, 1000, 1) == permuted(i, 1000, 2);
  EXPECT_LT(same, 20);  // 1 is expected
}

// Fixed points and neighbours that stay neighbours are as rare as in a fair shuffle: 1 and 2 of 10,000 are expected.
TEST(Permutation, LooksShuffled) {
  int stay = 0, neighbours = 0;
  for (int64_t i = 0; i + 1 < 10000; ++i) {
    stay += permuted(i, 10000, 5) == i;
    neighbours += std::abs(permuted(i, 10000, 5) - permuted(i + 1, 10000, 5)) == 1;
  }
  EXPECT_LT(stay, 15);
  EXPECT_LT(neighbours, 20);
}

TEST(Permutation, WorksForMoreThanFitsInATable) {
  const int64_t n = int64_t{1} << 40;
  EXPECT_LT(permuted(n - 1, n, 9), n);
  EXPECT_NE(permuted(0, n, 9), permuted(1, n, 9));
}

TEST(Permutation, OutsideThereIsNothing) {
  EXPECT_THROW(permuted(5, 5, 0), Error);
  EXPECT_THROW(permuted(0, 0, 0), Error);
}

}  // namespace
}  // namespace rgm
