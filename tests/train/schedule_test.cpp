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
  s.warmup = {warmup, 0};
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

// Of 100 steps 9 rise, and the last 20 fall by 0.04 each.
TEST(Schedule, WarmUpStableDecayFallsInItsLastSteps) {
  ScheduleSpec s = schedule("wsd", 9, 0.2);
  for (const StepCount decay : {StepCount{20, 0}, StepCount{0, 20}}) {
    s.decay = decay;
    EXPECT_DOUBLE_EQ(learning_rate(rate(1), s, 9, 100), 0.9);
    EXPECT_DOUBLE_EQ(learning_rate(rate(1), s, 10, 100), 1);
    EXPECT_DOUBLE_EQ(learning_rate(rate(1), s, 81, 100), 1);
    EXPECT_NEAR(learning_rate(rate(1), s, 82, 100), 0.96, 1e-12);
    EXPECT_NEAR(learning_rate(rate(1), s, 91, 100), 0.6, 1e-12);
    EXPECT_NEAR(learning_rate(rate(1), s, 100, 100), 0.24, 1e-12);
  }
}

TEST(Schedule, WarmUpStableDecayIsConstantWithoutDecayAndLinearWithNothingElse) {
  ScheduleSpec s = schedule("wsd", 2, 0.2);
  s.decay = {0, 0};
  for (int64_t step = 1; step <= 10; ++step)
    EXPECT_EQ(learning_rate(rate(1), s, step, 10), learning_rate(rate(1), schedule("constant", 2, 0), step, 10));
  for (const StepCount all : {StepCount{8, 0}, StepCount{0, 100}, StepCount{1000, 0}}) {
    s.decay = all;
    for (int64_t step = 1; step <= 10; ++step)
      EXPECT_EQ(learning_rate(rate(1), s, step, 10), learning_rate(rate(1), schedule("linear", 2, 0.2), step, 10));
  }
}

TEST(Schedule, SharesAreRounded) {
  EXPECT_EQ((StepCount{0, 3}.of(1000)), 30);
  EXPECT_EQ((StepCount{0, 3}.of(10)), 0);
  EXPECT_EQ((StepCount{0, 2.5}.of(20)), 1) << "half a step";
  EXPECT_EQ((StepCount{0, 100}.of(7)), 7);
  EXPECT_EQ((StepCount{12, 0}.of(7)), 12);
}

}  // namespace
}  // namespace rgm
