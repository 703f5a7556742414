// value_problems_test.cpp - values of the wrong kind, out of their range, or against each other.
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using PipelineProblems = PipelineTest;

TEST_F(PipelineProblems, WrongTypes) {
  EXPECT_EQ(problems(one_stage("    steps: [1]\n"
                               "    batch: \"8\"\n"
                               "    clip: high\n"
                               "    recompute: 3\n"
                               "    optimizer: [adamw]\n"
                               "    log: 10\n"
                               "    schedule: {cosine: 3}\n"
                               "    evaluate:\n")),
            "7:12: \"steps\" should be a whole number, 1 to 1000000000, got a list\n"
            "8:12: \"batch\" should be a whole number, 1 to 1048576, got the text \"8\"\n"
            "9:11: \"clip\" should be a number, at least 0, got \"high\"\n"
            "10:16: \"recompute\" should be true or false, got \"3\"\n"
            "11:16: \"optimizer\" should be one optimizer, as `id` or `{id: {options}}`, got a list\n"
            "12:10: \"log\" should be {every: steps}, got \"10\"\n"
            "13:24: \"schedule.cosine\" should be a map, {key: value}, got \"3\"\n"
            "14:5: \"evaluate\" should be {every: steps} or {epochs: N}, got nothing\n"
            "14:5: nothing to evaluate on: add data: {validation: {split: 0.1}}, or a file");
}

TEST_F(PipelineProblems, OutOfRange) {
  EXPECT_EQ(problems(one_stage("    steps: -1\n"
                               "    batch: 1.5\n"
                               "    clip: -1\n"
                               "    optimizer: {adamw: {beta1: 1, learning_rate: 0}}\n"
                               "    sample: {top_p: 0, min_p: 1.5, prompt: a}\n")),
            "7:12: \"steps\" is -1, should be 1 to 1000000000\n"
            "8:12: \"batch\" should be a whole number, 1 to 1048576, got \"1.5\"\n"
            "9:11: \"clip\" is -1, should be at least 0\n"
            "10:32: \"optimizer.adamw.beta1\" is 1, should be at least 0 and below 1\n"
            "10:50: \"optimizer.adamw.learning_rate\" is 0, should be above 0\n"
            "11:21: \"sample.top_p\" is 0, should be above 0 and at most 1\n"
            "11:31: \"sample.min_p\" is 1.5, should be at least 0 and at most 1");
}

// They are computed with as float32, of which the largest is 3.4e38 and the smallest 1.4e-45.
TEST_F(PipelineProblems, NumbersThatFloat32DoesNotHave) {
  EXPECT_EQ(problems(right + "    optimizer: {adamw: {epsilon: 1e-60, weight_decay: 1e39}}\n"
                             "    schedule: {cosine: {final: 1e308}}\n"),
            "8:34: \"optimizer.adamw.epsilon\" is 1e-60, which is 0 in float32, should be above 0\n"
            "8:55: \"optimizer.adamw.weight_decay\" is 1e39, which is inf in float32, should be at most 3.4e38\n"
            "9:32: \"schedule.cosine.final\" is 1e308, which is inf in float32, should be at most 3.4e38");
  EXPECT_EQ(
      problems(right + "    optimizer: {adamw: {learning_rate: 1e39, weight_decay: 1e-60, beta2: 0.999999999}}\n"),
      "8:40: \"optimizer.adamw.learning_rate\" is 1e39, which is inf in float32, should be at most 3.4e38\n"
      "8:60: \"optimizer.adamw.weight_decay\" is 1e-60, which is 0 in float32, should be 0 or at least 1.4e-45\n"
      "8:74: \"optimizer.adamw.beta2\" is 0.999999999, which is 1 in float32, should be at least 0 and below 1");
  EXPECT_EQ(problems(right + "    optimizer: {adamw: {learning_rate: 1e36, weight_decay: 0, epsilon: 1e-40}}\n"), "");
}

TEST_F(PipelineProblems, NumbersThatWouldNeverEnd) {
  EXPECT_EQ(problems(one_stage("    steps: 1e15\n"
                               "    batch: 1048577\n"
                               "    micro_batch: 1e12\n"
                               "    sample: {prompt: a, tokens: 2e6, count: 10001}\n")),
            "7:12: \"steps\" is 1000000000000000, should be 1 to 1000000000\n"
            "8:12: \"batch\" is 1048577, should be 1 to 1048576\n"
            "9:18: \"micro_batch\" is 1000000000000, should be 1 to 1048576\n"
            "10:33: \"sample.tokens\" is 2000000, should be 1 to 1048576\n"
            "10:45: \"sample.count\" is 10001, should be 0 to 10000");
  EXPECT_EQ(problems(one_stage("    epochs: 1e300\n")),
            "7:13: \"epochs\" is 1e300, should be above 0 and at most 1000000");
}

TEST_F(PipelineProblems, ARowIsNoLongerThanTheContext) {
  EXPECT_EQ(problems(right + "    length: 1\n"), "8:13: \"length\" is 1, should be 2 to 16777216");
  EXPECT_EQ(problems(right + "    length: 8\n"), "");
  EXPECT_EQ(problems(right + "    length: 9\n"),
            "8:5: \"length\" is 9, and the model has a context of 8: write at most 8, or leave it out");
}

TEST_F(PipelineProblems, BothLengths) {
  EXPECT_EQ(problems(right + "    epochs: 2\n"),
            "8:5: \"steps\" and \"epochs\" both say how long: leave one of them out");
}

TEST_F(PipelineProblems, NoLength) {
  EXPECT_EQ(problems(no_length), "3:5: stage \"base\" does not say how long to train: add steps: 1000, or epochs: 3");
}

TEST_F(PipelineProblems, MicroBatchAboveBatch) {
  EXPECT_EQ(problems(right + "    batch: 4\n"
                             "    micro_batch: 8\n"),
            "9:5: \"micro_batch\" is 8, more than the 4 rows of \"batch\"");
}

TEST_F(PipelineProblems, RatesAreNumbersAboveZeroByPattern) {
  const auto rates = [&](const std::string& value) {
    return problems(right + "    optimizer: {adamw: {rates: " + value + "}}\n");
  };
  EXPECT_EQ(rates("{\"*.b\": 1e-3, head.weight: 2}"), "");
  EXPECT_EQ(rates("[{\"*.b\": 1e-3}, {head.weight: 2}]"), "");
  EXPECT_EQ(rates("{}"), "");
  EXPECT_EQ(problems(right + "    optimizer: {sgd: {rates: {\"*.b\": 1e-3}}}\n"), "");
  for (const char* zero : {"0", "0.0", "-0"})
    EXPECT_EQ(rates(fmt::format("{{\"*.b\": {}}}", zero)),
              "8:40: \"optimizer.adamw.rates.*.b\" is 0: to leave parameters as they are, say in \"trainable\" what is "
              "trained instead");
  EXPECT_EQ(rates("{\"*.b\": -1}"), "8:40: \"optimizer.adamw.rates.*.b\" is -1, should be above 0");
  EXPECT_EQ(rates("{\"*.b\": 1e-60}"),
            "8:40: \"optimizer.adamw.rates.*.b\" is 1e-60, which is 0 in float32, should be above 0");
  EXPECT_EQ(rates("{\"*.b\": .nan}"), "8:40: \"optimizer.adamw.rates.*.b\" should be a number, above 0, got \".nan\"");
  EXPECT_EQ(rates("{\"*\": {b: 1}}"),
            "8:38: \"optimizer.adamw.rates.*\" should be a number, above 0, got a map; a pattern with dots is set with "
            "all of \"rates\": --set '….rates={\"*.b\": 1e-3}'");
  EXPECT_EQ(rates("[{a: 1}, 3]"), "8:41: \"optimizer.adamw.rates[1]\" should be a map, {key: value}, got \"3\"");
  EXPECT_EQ(problems(right + "    loraplus_lr_ratio: 16\n"),
            "8:5: unknown key \"loraplus_lr_ratio\" in a stage: write optimizer: {adamw: {rates: {PATTERN: learning "
            "rate}}}");
}

TEST_F(PipelineProblems, StepsOrAShareOfThem) {
  const auto warmup = [&](const std::string& value) {
    return problems(right + "    schedule: {cosine: {warmup: " + value + "}}\n");
  };
  const std::string wanted =
      "8:33: \"schedule.cosine.warmup\" should be a number of steps, at least 0, or a share of them, 0% to 100%, got ";
  for (const char* value : {"0", "2e3", "0%", "3%", "2.5%", "100%", "\"3%\""}) EXPECT_EQ(warmup(value), "") << value;
  for (const std::string value : {"-1", "1.5", "-3%", "101%", "many"})
    EXPECT_EQ(warmup(value), wanted + '"' + value + '"');
  EXPECT_EQ(warmup("0.03"), wanted + "\"0.03\"; did you mean 3%?");
  EXPECT_EQ(warmup("[3%]"), wanted + "a list");
}

TEST_F(PipelineProblems, WarmUpAndDecayAreWithinTheSteps) {
  EXPECT_EQ(problems(right + "    schedule: {wsd: {warmup: 60%, decay: 50%}}\n"),
            "8:35: \"warmup\" and \"decay\" take 110% of the steps together: 100% is all there is");
  EXPECT_EQ(problems(right + "    schedule: {wsd: {warmup: 95%}}\n"),
            "8:22: \"warmup\" and \"decay\" take 105% of the steps together: 100% is all there is");
  EXPECT_EQ(problems(right + "    schedule: {wsd: {warmup: 90%}}\n"), "");
  EXPECT_EQ(problems(right + "    schedule: {linear: {decay: 10%}}\n"),
            "8:25: unknown key \"decay\" in linear; it has: warmup, final");
}

}  // namespace
}  // namespace rgm::fake
