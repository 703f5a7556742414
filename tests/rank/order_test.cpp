// order_test.cpp - orders with ties, as a rater writes them, and how far two of them agree.
#include "rank/order.hpp"

#include <cmath>

#include "rank/agreement.hpp"
#include "rank/rankings.hpp"

namespace rgm::rank {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Order, TiesShareARankAndTheNextIsOneMore) {
  EXPECT_THAT(parse_order("C > B = D > A", 4), ElementsAre(3, 2, 1, 2));
  EXPECT_THAT(parse_order("a=b", 2), ElementsAre(1, 1));
  EXPECT_EQ(format_order(std::vector<int>{3, 2, 1, 2}), "C > B = D > A");
  const std::vector<size_t> order{2, 1, 3, 0};
  EXPECT_THAT(ranks_of(order, {false, false, true, false}), ElementsAre(3, 2, 1, 2));
}

TEST(Order, WhatIsNoOrderIsTold) {
  EXPECT_THAT(failure_of([] { parse_order("A > B", 3); }), HasSubstr("C is left out"));
  EXPECT_THAT(failure_of([] { parse_order("A > A", 2); }), HasSubstr("A is given twice"));
  EXPECT_THAT(failure_of([] { parse_order("A > D", 3); }), HasSubstr("there are A to C"));
  EXPECT_THAT(failure_of([] { parse_order("A < B", 2); }), HasSubstr("write > where the first is better"));
  EXPECT_THAT(failure_of([] { parse_order("A > B >", 2); }), HasSubstr("left out"));
  EXPECT_THAT(failure_of([] { check_ranks(std::vector<int>{1, 3}, 2); }), HasSubstr("no answer has the rank 2"));
  EXPECT_THAT(failure_of([] { check_ranks(std::vector<int>{1}, 2); }), HasSubstr("1 ranks for 2 answers"));
}

// Of the three pairs two are alike, and one is a tie in b: 2 / sqrt(3 x 2).
TEST(Agreement, CountsPairsThatAreOrderedAlike) {
  EXPECT_DOUBLE_EQ(*tau_b(std::vector<int>{1, 2, 3}, std::vector<int>{1, 2, 3}), 1);
  EXPECT_DOUBLE_EQ(*tau_b(std::vector<int>{1, 2, 3}, std::vector<int>{3, 2, 1}), -1);
  EXPECT_NEAR(*tau_b(std::vector<int>{1, 2, 3}, std::vector<int>{1, 2, 2}), 2 / std::sqrt(6.0), 1e-12);
  EXPECT_FALSE(tau_b(std::vector<int>{1, 1}, std::vector<int>{1, 2}).has_value());
}

}  // namespace
}  // namespace rgm::rank
