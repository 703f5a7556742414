// sample_settings_test.cpp - the repetition penalty of a stage's samples: its value, its range, and where it is shown.
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using SampleSettings = PipelineTest;

TEST_F(SampleSettings, ARepetitionPenaltyIsReadAndHasARange) {
  EXPECT_EQ(problems(right + "    sample: {prompt: a, repetition_penalty: 1.2}\n"), "");
  EXPECT_EQ(problems(right + "    sample: {prompt: a, repetition_penalty: 0}\n"),
            "8:45: \"sample.repetition_penalty\" is 0, should be at least 0.01 and at most 100");
  EXPECT_EQ(problems(right + "    sample: {prompt: a, repeat_penalty: 1.2}\n"),
            "8:25: unknown key \"repeat_penalty\" in sample: here it is \"repetition_penalty\"");
  EXPECT_EQ(
      problems(right + "    repetition_penalty: 1.2\n"),
      "8:5: unknown key \"repetition_penalty\" in a stage: write it in sample: {prompt: TEXT, …}; for answers that "
      "are learned from, it is an option of the strategy");
}

// A stage that was finished before there was one stays finished.
TEST_F(SampleSettings, ARepetitionPenaltyIsInForceWhereItIsNotOne) {
  const auto sample = [&](const std::string& more) {
    return read(right + "    sample: {prompt: a" + more + "}\n").stages[0].effective["sample"];
  };
  EXPECT_EQ(sample(", repetition_penalty: 1.2")["repetition_penalty"], 1.2);
  EXPECT_FALSE(sample(", repetition_penalty: 1").contains("repetition_penalty"));
}

}  // namespace
}  // namespace rgm::fake
