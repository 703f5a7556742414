// after_step_test.cpp - what a strategy generates between two steps repeats neither a rollout nor an earlier step.
#include "model/small.hpp"
#include "train/session.hpp"

namespace rgm::test {
namespace {

class AfterStep : public TensorTest {
 protected:
  AfterStep() {
    train_.seed = 3;
    train_.context = 24;
    train_.policy = small_model();
    train_.roles["policy"] = {train_.policy};
    const rgm_str prompt{"ab", 2};
    set_tokens(train_, prompts_, "prompt", {&prompt, 1}, {});
    prompts_.examples = 1;
  }
  std::string answer(int64_t rollout, int64_t after_step) {
    train_.rollout = rollout;
    train_.after_step = after_step;
    rgm_attr most{};
    most.key = "max_tokens";
    most.value.type = RGM_INTEGER;
    most.value.as.i = 8;
    return generate_batch(train_, train_.roles["policy"], prompts_, {&most, 1})->columns.at("text").texts.at(0);
  }

  rgm_train train_;
  Batch prompts_;
};

TEST_F(AfterStep, WhatIsGeneratedIsDrawnForThatStepAlone) {
  const std::set<std::string> all{answer(0, 0), answer(1, 0), answer(1, 1), answer(1, 2)};
  EXPECT_EQ(all.size(), 4U) << "two rollouts and two steps";
  EXPECT_EQ(answer(5, 2), answer(1, 2)) << "whatever rollouts there were";
}

}  // namespace
}  // namespace rgm::test
