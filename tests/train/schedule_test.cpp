// schedule_test.cpp - learning rates at steps that a reader can check by hand.
#include <gtest/gtest.h>

#include "train/settings.hpp"

namespace rgm {
namespace {

OptimizerSpec rate(double top) {
  OptimizerSpec o;
  o.learning_rate = top;
  return o;
}
ScheduleSpec schedule(const char* kind, int64_t warmup, double final) {
  ScheduleSpec s;
  s.kind = kind;
  s.warmup = warmup;
  s.final = final;
  return s;
}

TEST(Schedule, ConstantStaysWhereItIs) {
  EXPECT_DOUBLE_EQ(learning_rate(rate(0.5), schedule("constant", 0, 0), 1, 10), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(rate(0.5), schedule("constant", 0, 0), 10, 10), 0.5);
}

TEST(Schedule, WarmsUpInEqualSteps) {
  // 9 steps of warm-up climb a tenth each, and the tenth step is at the top
  EXPECT_DOUBLE_EQ(learning_rate(rate(1), schedule("constant", 9, 0), 1, 100), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(rate(1), schedule("constant", 9, 0), 9, 100), 0.9);
  EXPECT_DOUBLE_EQ(learning_rate(rate(1), schedule("constant", 9, 0), 10, 100), 1);
}

TEST(Schedule, LinearFallsInEqualStepsAndNoStepIsWasted) {
  EXPECT_DOUBLE_EQ(learning_rate(rate(1), schedule("linear", 0, 0.2), 1, 100), 1);
  EXPECT_DOUBLE_EQ(learning_rate(rate(1), schedule("linear", 0, 0.2), 51, 100), 0.6);
  EXPECT_DOUBLE_EQ(learning_rate(rate(1), schedule("linear", 0, 0.2), 100, 100), 0.208);
  EXPECT_DOUBLE_EQ(learning_rate(rate(1), schedule("linear", 0, 0), 1, 1), 1);
}

TEST(Schedule, CosineIsHalfWayInTheMiddle) {
  EXPECT_NEAR(learning_rate(rate(1e-3), schedule("cosine", 100, 1e-4), 101, 2000), 1e-3, 1e-12);
  EXPECT_NEAR(learning_rate(rate(1e-3), schedule("cosine", 100, 1e-4), 1051, 2000), 5.5e-4, 1e-12);
  EXPECT_NEAR(learning_rate(rate(1e-3), schedule("cosine", 100, 1e-4), 2000, 2000), 1e-4, 1e-9);
}

}  // namespace
}  // namespace rgm
