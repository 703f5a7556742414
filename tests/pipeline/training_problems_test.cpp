// training_problems_test.cpp - what a stage cannot train, measure or keep, or does not need to.
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using PipelineProblems = PipelineTest;

TEST_F(PipelineProblems, TrainableWithoutAdapter) {
  EXPECT_EQ(problems(right + "    trainable: adapter\n"),
            "8:5: \"trainable: adapter\" needs an adapter: add adapter: ID");
}

TEST_F(PipelineProblems, Trainable) {
  EXPECT_EQ(
      problems(right + "    trainable: everything\n"),
      "8:16: \"trainable\" should be all, head, adapter, {last: layers} or {names: [patterns]}, got \"everything\"");
}

TEST_F(PipelineProblems, OptimizersAndSchedules) {
  EXPECT_EQ(problems(right + "    optimizer: adam\n"
                             "    schedule: {cosin: {}}\n"),
            "8:16: optimizer \"adam\" is not known; did you mean \"adamw\"?\n"
            "9:16: schedule \"cosin\" is not known; did you mean \"cosine\"?");
}

TEST_F(PipelineProblems, CheckpointWhen) {
  EXPECT_EQ(problems(right + "    checkpoint: {every: 3, minutes: 3, keep: all}\n"),
            "8:28: \"every\" (steps) and \"minutes\" both say when: leave one of them out\n"
            "8:46: \"checkpoint.keep\" should be last, best, {best: NAME} or {average: DECAY}, got \"all\"");
}

TEST_F(PipelineProblems, EvaluateWithoutHeldOutData) {
  EXPECT_EQ(problems(right + "    evaluate: {every: 3}\n"
                             "    keep: best\n"),
            "8:5: nothing to evaluate on: add data: {validation: {split: 0.1}}, or a file\n"
            "9:5: \"keep: best\" needs held-out data: add data: {validation: {split: 0.1}}, or a file");
}

TEST_F(PipelineProblems, EvaluateWhen) {
  const std::string held_out = with_line(6, "    data: {train: {text: a.txt}, validation: {split: 0.5}}");
  EXPECT_EQ(problems(held_out + "    evaluate: {every: 3, epochs: 1}\n"),
            "8:26: \"every\" (steps) and \"epochs\" both say when: leave one of them out");
  EXPECT_EQ(problems(held_out + "    evaluate: {epochs: 0}\n"),
            "8:24: \"evaluate.epochs\" is 0, should be above 0 and at most 1000000");
  EXPECT_EQ(problems(held_out + "    evaluate: {every: 3, patience: 0}\n"),
            "8:36: \"evaluate.patience\" is 0, should be at least 1");
  EXPECT_EQ(problems(held_out + "    evaluate: {patience: 3}\n"),
            "8:16: \"patience\" counts evaluations before the end, and there are none: add every: STEPS, or epochs: N");
  EXPECT_EQ(problems(held_out + "    evaluate: {early_stopping: 3, every: 1}\n"),
            "8:16: unknown key \"early_stopping\" in evaluate: here it is \"patience\"");
  EXPECT_EQ(problems(held_out + "    early_stopping_patience: 3\n"),
            "8:5: unknown key \"early_stopping_patience\" in a stage: write evaluate: {every: steps, patience: "
            "evaluations}");
}

TEST_F(PipelineProblems, TheNumberThatIsToBeBest) {
  const auto keep = [&](const std::string& value) {
    return problems(with_line(6, "    data: {train: {text: a.txt}, validation: {split: 0.5}}") + "    keep: " + value +
                    "\n");
  };
  EXPECT_EQ(keep("{best: validation_accuracy}"), "");
  EXPECT_EQ(keep("{best: {validation_kl: lowest}}"), "");
  EXPECT_EQ(
      keep("{best: validation_kl}"),
      "8:18: whether the highest or the lowest \"validation_kl\" is the best does not follow from its name: write "
      "{best: {validation_kl: highest}}, or lowest");
  EXPECT_EQ(keep("{best: {validation_kl: max}}"),
            "8:34: \"keep.best.validation_kl\" should be one of highest, lowest, got \"max\"");
  EXPECT_EQ(keep("{best: [a]}"), "8:18: \"keep.best\" should be NAME, {NAME: highest} or {NAME: lowest}, got a list");
  EXPECT_EQ(keep("{best: {\"\": lowest}}"),
            "8:18: \"keep.best\" should be NAME, {NAME: highest} or {NAME: lowest}, got a map");
  EXPECT_EQ(keep("{worst: a}"), "8:12: unknown key \"worst\" in keep; it has: best, average");
  EXPECT_EQ(keep("{}"), "8:11: \"keep\" should be last, best, {best: NAME} or {average: DECAY}, got a map");
  EXPECT_EQ(
      keep("{best: accuracy}"),
      "8:5: strategy \"pretrain\" reports no \"accuracy\" of held-out data, where what its steps report is called "
      "validation_…: write keep: {best: validation_accuracy}");
}

TEST_F(PipelineProblems, TheMeanOfTheWeights) {
  const auto keep = [&](const std::string& value) { return problems(right + "    keep: " + value + "\n"); };
  EXPECT_EQ(keep("{average: 0.999}"), "") << "it needs no held-out data";
  for (const std::string wrong : {"0", "1", "-0.5", "1.5"})
    EXPECT_EQ(keep("{average: " + wrong + "}"),
              "8:21: \"keep.average\" is " + wrong + ", should be above 0 and below 1");
  EXPECT_EQ(keep("{average: true}"), "8:21: \"keep.average\" should be a number, above 0 and below 1, got \"true\"");
  EXPECT_EQ(keep("{ema_decay: 0.999}"),
            "8:12: unknown key \"ema_decay\" in keep: here it is \"average\", the decay of the mean of the weights "
            "that is kept");
  EXPECT_EQ(problems(right + "    checkpoint: {every: 2, keep: {average: 2}}\n"),
            "8:44: \"checkpoint.keep.average\" is 2, should be above 0 and below 1");
  EXPECT_EQ(problems(right + "    ema: true\n"),
            "8:5: unknown key \"ema\" in a stage: write keep: {average: 0.999}, the decay of the mean of the weights "
            "that is kept");
  const auto sampled = [&](const std::string& more) {
    return problems(right + "  - {name: s, strategy: sample, model: {from: base}, data: {prompts: {jsonl: p.jsonl}}, " +
                    more + "}\n");
  };
  EXPECT_EQ(sampled("keep: {average: 0.9}"), "8:89: strategy \"sample\" trains nothing: leave \"keep\" out");
  EXPECT_EQ(sampled("checkpoint: {keep: {average: 0.9}}"),
            "8:89: strategy \"sample\" trains nothing: there are no weights to average");
}

// Scores are asked for outside of a loss, and this one has nothing beside it.
TEST_F(PipelineProblems, ARewardThatNobodyCanAsk) {
  EXPECT_EQ(problems(right + "    reward: {words: {words: a.txt}}\n"),
            "8:5: strategy \"pretrain\" asks no reward for scores: leave \"reward\" out");
  testing::internal::CaptureStderr();
  EXPECT_EQ(problems(right + "  - {name: s, strategy: sample, model: {from: base}, data: {prompts: {jsonl: p.jsonl}}, "
                             "reward: {words: {words: a.txt}}}\n"),
            "");
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find(
          "8:89: strategy \"sample\" does not say that it asks for scores with the options given here: \"reward\" "
          "may have no effect; if the strategy is your own and asks for them, its plan has to say needs_reward"),
      std::string::npos);
}

TEST_F(PipelineProblems, RowsAtOnceAreANumberOrLeftToTheMemory) {
  EXPECT_EQ(problems(right + "    micro_batch: auto\n"), "");
  EXPECT_EQ(
      problems(right + "    micro_batch: atuo\n"),
      "8:18: \"micro_batch\" should be auto or a whole number, 1 to 1048576, got \"atuo\"; did you mean \"auto\"?");
  EXPECT_EQ(problems(right + "    micro_batch: 0\n"), "8:18: \"micro_batch\" is 0, should be 1 to 1048576");
  EXPECT_EQ(problems(right + "  - {name: s, strategy: sample, model: {from: base}, data: {prompts: {jsonl: p.jsonl}}, "
                             "micro_batch: auto}\n"),
            "8:89: strategy \"sample\" lets the model write, and what its answers take is not known before: give "
            "\"micro_batch\" a number, or leave it out");
}

TEST_F(PipelineProblems, TrainingWhereNothingIsTrained) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages:\n"
                     "  - {name: s, strategy: sample, model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: "
                     "8}, data: {prompts: {jsonl: p.jsonl}}, clip: 1, optimizer: sgd}\n"),
            "3:137: strategy \"sample\" trains nothing: leave \"clip\" out\n"
            "3:146: strategy \"sample\" trains nothing: leave \"optimizer\" out");
}

// It would answer with whatever values an untrained adapter has.
TEST_F(PipelineProblems, WhereNothingIsTrainedAnAdapterComesFromElsewhere) {
  const auto asked = [&](const std::string& adapter) {
    return problems(right + "  - {name: s, strategy: sample, model: {from: base}, data: {prompts: {jsonl: p.jsonl}}, " +
                    adapter + "}\n");
  };
  EXPECT_EQ(
      asked("adapter: low_rank"),
      "8:89: strategy \"sample\" trains nothing, and adapter \"low_rank\" would stay as it starts: take a trained "
      "one, as in adapter: {low_rank: {}, from: STAGE}, or leave \"adapter\" out");
  EXPECT_EQ(asked("adapter: [{low_rank: {}, from: base}]"), "");
}

}  // namespace
}  // namespace rgm::fake
