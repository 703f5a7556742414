// set_test.cpp - values from the command line: what they replace in the file, and what stays beside them.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "fake_components.hpp"
#include "plugins/options.hpp"

namespace rgm::fake {
namespace {

using ReadPipeline = PipelineTest;

TEST_F(ReadPipeline, EvaluationsByRoundsReplaceThoseBySteps) {
  const ReadOptions options = set({"stages.base.data.validation.split=0.5", "stages.base.evaluate.epochs=0.5"});
  const Stage base = read(one_stage("    steps: 7\n    evaluate: {every: 5, patience: 3}\n"), options).stages[0];
  EXPECT_EQ(base.evaluate_every, 0);
  EXPECT_EQ(base.evaluate_epochs, 0.5);
  EXPECT_EQ(base.patience, 3);
  EXPECT_EQ(base.effective["evaluate"], parse_json(R"({"epochs": 0.5, "patience": 3})"));
}

TEST_F(ReadPipeline, AnotherNumberReplacesTheOneThatWasToBeBest) {
  for (const std::string at : {"keep", "checkpoint.keep"}) {
    const std::string line = at == "keep" ? "keep: {best: {validation_loss: highest}}"
                                          : "checkpoint: {keep: {best: {validation_loss: highest}}}";
    const Stage base =
        read(one_stage("    steps: 7\n    " + line + "\n"),
             set({"stages.base.data.validation.split=0.5", "stages.base." + at + ".best.validation_kl=lowest"}))
            .stages[0];
    EXPECT_EQ(base.best_by, "validation_kl");
    EXPECT_FALSE(base.highest_is_best);
  }
}

TEST_F(ReadPipeline, SetOverridesByStageName) {
  const ReadOptions options = set({"stages.base.steps=10", "stages.base.optimizer.adamw.learning_rate=0.5", "seed=3",
                                   "stages.base.adapter.low_rank.rank=2"});
  const Pipeline p = read(one_stage("    epochs: 7\n    adapter: low_rank\n"), options);
  EXPECT_EQ(p.seed, 3u);
  EXPECT_EQ(p.stages[0].steps, 10);
  EXPECT_EQ(p.stages[0].epochs, 0);  // steps from the command line replace the file's epochs
  EXPECT_EQ(p.stages[0].optimizer.learning_rate, 0.5);
  EXPECT_EQ(p.stages[0].adapters[0].config->values.at("rank").json, 2);
}

TEST_F(ReadPipeline, SetReplacesOneOfSeveral) {
  const std::string text =
      "backend: {chop: {cores: 1}}\n" + one_stage(
                                            "    steps: 7\n"
                                            "    schedule: {cosine: {warmup: 9, final: 0.5}}\n"
                                            "    optimizer: {adamw: {learning_rate: 1e-3, beta1: 0.5}}\n"
                                            "    tokenizer: {bpe: {vocabulary: 300}}\n"
                                            "    checkpoint: {every: 500, keep: last}\n"
                                            "    trainable: {last: 1}\n");
  const Pipeline p = read(
      text, set({"stages.base.schedule.linear.warmup=3", "stages.base.optimizer.sgd.learning_rate=0.1",
                 "stages.base.optimizer.sgd.momentum=0.9", "stages.base.tokenizer.characters=",
                 "stages.base.checkpoint.minutes=5", "stages.base.trainable.names=['*']", "backend.chip.threads=2"}));
  const Stage& base = p.stages[0];
  EXPECT_EQ(p.backend->id, "chip");
  EXPECT_EQ(base.schedule.kind, "linear");
  EXPECT_EQ(base.schedule.warmup.steps, 3);
  EXPECT_EQ(base.schedule.final, 0);
  EXPECT_EQ(base.optimizer.kind, "sgd");
  EXPECT_EQ(base.optimizer.learning_rate, 0.1);
  EXPECT_EQ(base.optimizer.momentum, 0.9);
  EXPECT_EQ(base.tokenizer.kind, "characters");
  EXPECT_EQ(base.checkpoint_every, 0);
  EXPECT_EQ(base.checkpoint_minutes, 5);
  EXPECT_EQ(base.trainable_kind, "names");
}

TEST_F(ReadPipeline, SetKeepsWhatStandsBesideTheValue) {
  const std::string text = one_stage("    steps: 7\n    schedule: {cosine: {warmup: 9, final: 0.5}}\n");
  const Stage base = read(text, set({"stages.base.schedule.cosine.warmup=3"})).stages[0];
  EXPECT_EQ(base.schedule.warmup.steps, 3);
  EXPECT_EQ(base.schedule.final, 0.5);
}

TEST_F(ReadPipeline, SetValuesAreYaml) {
  const Pipeline p = read(one_stage("    steps: 7\n"), set({"stages.base.schedule={linear: {warmup: 3}}"}));
  EXPECT_EQ(p.stages[0].schedule.kind, "linear");
  EXPECT_EQ(p.stages[0].schedule.warmup.steps, 3);
}

TEST_F(ReadPipeline, SetDoesNotReachThroughAliases) {
  const std::string two =
      "regimen: 1\nstages:\n"
      "  - {name: a, strategy: pretrain, model: &m {family: gpt2, layers: 1, heads: 1, channels: 8, "
      "context: 8}, data: &d {train: {text: a.txt}}, steps: 1}\n"
      "  - {name: b, strategy: pretrain, model: *m, data: *d, steps: 1}\n";
  const Pipeline p = read(two, set({"stages.b.model.layers=5"}));
  EXPECT_EQ(p.stages[0].model.sizes.at("layers"), 1);
  EXPECT_EQ(p.stages[1].model.sizes.at("layers"), 5);
}

TEST_F(ReadPipeline, TheBackendOfTheCommandLineWins) {
  EXPECT_EQ(read(one_stage("    steps: 7\n"), backend("chip")).backend->id, "chip");
  const std::string with_options = "backend: {chip: {threads: 3}}\n" + one_stage("    steps: 7\n");
  EXPECT_EQ(read(with_options, backend("chip")).backend->config->values.at("threads").json, 3);
}

}  // namespace
}  // namespace rgm::fake
