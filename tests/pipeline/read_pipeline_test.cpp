// read_pipeline_test.cpp - what a right pipeline becomes: every part of the grammar, defaults, merge keys.
#include <gmock/gmock.h>

#include "fake_components.hpp"
#include "plugins/options.hpp"

namespace rgm::fake {
namespace {

using ReadPipeline = PipelineTest;

const char* const whole_grammar = R"(regimen: 1
name: sentiment
seed: 42
backend: {chip: {threads: 2}}
plugins: [mine.so, {path: yours.so, sha256: abc}]
stages:
  - name: base
    strategy: pretrain
    model: {family: gpt2, layers: 4, heads: 4, channels: 128, context: 64, dropout: 0.1}
    tokenizer: {bpe: {vocabulary: 1024}}
    data: {train: {text: [a.txt, many]}, validation: {split: 0.25}}
    optimizer: {adamw: {learning_rate: 1e-3, weight_decay: 0.1, beta2: 0.99}}
    schedule: {cosine: {warmup: 100, final: 1e-4}}
    steps: 2000
    batch: 12
    micro_batch: 4
    clip: 0.5
    evaluate: {every: 250}
    checkpoint: {every: 500, keep: best}
    sample: {prompt: "Once", tokens: 50, temperature: 0.5, top_k: 10, top_p: 0.9, min_p: 0.05, stop: ["\n", End],
             count: 3}
  - name: tune
    strategy: pretrain
    model: {from: base}
    trainable: {last: 2}
    adapter: {low_rank: {rank: 4, sites: ["*.query", "*.value"]}}
    data: {train: {tsv: t.tsv, columns: {text: 0}}, validation: {tsv: t.tsv, columns: {text: {prompt: 0, answer: 1}}}}
    epochs: 3
    keep: last
    checkpoint: {minutes: 10}
  - {name: answers, strategy: sample, model: {from: tune}, data: {prompts: {jsonl: p.jsonl, columns: {prompt: q}}}}
  - {name: judge, strategy: judging, model: {from: base}, reward: ranking, data: {train: {from: answers}}}
  - name: rl
    strategy: online
    model: {from: tune}
    reference: {from: base}
    reward: [{from: judge, weight: 0.5}, {words: {words: a.txt}, weight: 2}]
    adapter: low_rank
    data: {prompts: {jsonl: p.jsonl}, pretrain: {text: a.txt}}
)";

TEST_F(ReadPipeline, ReadsTheWholeGrammar) {
  ASSERT_EQ(problems(whole_grammar), "");
  const Pipeline p = read(whole_grammar);
  EXPECT_EQ(p.name, "sentiment");
  EXPECT_EQ(p.seed, 42u);
  EXPECT_EQ(p.backend->id, "chip");
  EXPECT_EQ(p.backend->config->values.at("threads").json, 2);
  EXPECT_EQ(fs::path(plugins_[0]), folder_ / "mine.so");
  ASSERT_EQ(p.stages.size(), 5u);

  const Stage& base = p.stages[0];
  EXPECT_EQ(base.model.sizes.at("channels"), 128);
  EXPECT_EQ(base.model.reals.at("dropout"), 0.1);
  EXPECT_EQ(base.tokenizer.kind, "bpe");
  EXPECT_EQ(base.tokenizer.vocabulary, 1024);
  EXPECT_THAT(base.data.at("train").files,
              testing::ElementsAre(folder_ / "data/a.txt", folder_ / "data/many/1.txt", folder_ / "data/many/2.txt"));
  EXPECT_EQ(base.data.at("train").split_end, 0.75);
  EXPECT_EQ(base.data.at("validation").split_begin, 0.75);
  EXPECT_EQ(base.data.at("validation").split_end, 1);
  EXPECT_EQ(base.optimizer.beta2, 0.99);
  EXPECT_EQ(base.schedule.kind, "cosine");
  EXPECT_EQ(base.schedule.final, 1e-4);
  EXPECT_EQ(base.steps, 2000);
  EXPECT_EQ(base.micro_batch, 4);
  EXPECT_EQ(base.keep, "best");
  EXPECT_EQ(base.checkpoint_every, 500);
  EXPECT_EQ(base.trainable_kind, "all");
  EXPECT_EQ(base.sample_prompt, "Once");
  EXPECT_EQ(base.sample_top_p, 0.9);
  EXPECT_EQ(base.sample_min_p, 0.05);
  EXPECT_THAT(base.sample_stop, testing::ElementsAre("\n", "End"));

  const Stage& tune = p.stages[1];
  EXPECT_EQ(tune.model.from_stage, "base");
  EXPECT_EQ(tune.trainable_kind, "last");
  EXPECT_EQ(tune.trainable_last, 2);
  EXPECT_EQ(tune.adapters[0].config->values.at("rank").json, 4);
  EXPECT_EQ(tune.data.at("train").columns[0].from, "0");
  EXPECT_EQ(*tune.data.at("validation").columns[0].prompt, "0");
  EXPECT_EQ(tune.data.at("validation").columns[0].from, "1");
  EXPECT_EQ(tune.checkpoint_minutes, 10);
  EXPECT_EQ(tune.epochs, 3);

  EXPECT_EQ(p.stages[2].epochs, 1);  // trains nothing: once through the prompts
  EXPECT_EQ(p.stages[3].data.at("train").from_stage, "answers");
  const Stage& rl = p.stages[4];
  EXPECT_EQ(rl.roles.at("reference").from_stage, "base");
  EXPECT_EQ(rl.rewards[0].from_stage, "judge");
  EXPECT_EQ(rl.rewards[0].id, "ranking");
  EXPECT_EQ(rl.rewards[0].weight, 0.5);
  EXPECT_EQ(rl.rewards[1].config->values.at("words").json, (folder_ / "data/a.txt").string());
  EXPECT_EQ(rl.trainable_kind, "adapter");
}

TEST_F(ReadPipeline, DefaultsOfTheStrategyApplyUnderWhatIsGiven) {
  const std::string pairs =
      "regimen: 1\nstages:\n  - {name: a, strategy: pairs, model: {from: trained}, "
      "data: {train: {jsonl: p.jsonl}}";
  const Stage plain = read(pairs + "}").stages[0];
  EXPECT_EQ(plain.optimizer.learning_rate, 1e-6);
  EXPECT_EQ(plain.epochs, 1);
  const Stage given = read(pairs + ", optimizer: {adamw: {beta1: 0.8}}, steps: 5}").stages[0];
  EXPECT_EQ(given.optimizer.learning_rate, 1e-6);
  EXPECT_EQ(given.optimizer.beta1, 0.8);
  EXPECT_EQ(given.steps, 5);
  EXPECT_EQ(given.epochs, 0);
  const Stage other = read(pairs + ", optimizer: sgd}").stages[0];
  EXPECT_EQ(other.optimizer.kind, "sgd");
  EXPECT_EQ(other.optimizer.learning_rate, OptimizerSpec().learning_rate);
}

// A list of merges: the first one that has a key counts; the map's own keys count before all.
TEST_F(ReadPipeline, MergeKeysStandForWhatTheyName) {
  const Pipeline p = read(
      "regimen: 1\nstages:\n  - &base\n    name: base\n    strategy: pretrain\n    model: {family: gpt2, layers: 1, "
      "heads: 1, channels: 8, context: 8}\n"
      "    tokenizer: bytes\n    data: {train: {text: a.txt}}\n    steps: 5\n    batch: 2\n"
      "  - {<<: *base, name: next, steps: 7}\n  - {name: third, <<: [{batch: 3}, *base]}\n");
  ASSERT_EQ(p.stages.size(), 3u);
  EXPECT_EQ(p.stages[1].name, "next");
  EXPECT_EQ(p.stages[1].steps, 7);
  EXPECT_EQ(p.stages[1].batch, 2);
  EXPECT_EQ(p.stages[2].steps, 5);
  EXPECT_EQ(p.stages[2].batch, 3);
}

TEST_F(ReadPipeline, NameAndSeedHaveDefaults) {
  const Pipeline p = read(one_stage("    steps: 7\n"));
  EXPECT_EQ(p.name, "p");
  EXPECT_EQ(p.seed, 1337u);
  EXPECT_FALSE(p.backend);
}

TEST_F(ReadPipeline, DataIsFoundInTheFolderOfTheVariable) {
  fs::create_directories(folder_ / "elsewhere");
  write_file(folder_ / "elsewhere" / "b.txt", "b");
  ::setenv("REGIMEN_DATA", (folder_ / "elsewhere").c_str(), 1);
  const Pipeline p = read(one_stage("    steps: 7\n"), set({"stages.base.data.train.text=b.txt"}));
  EXPECT_EQ(p.stages[0].data.at("train").files[0], folder_ / "elsewhere" / "b.txt");
}

}  // namespace
}  // namespace rgm::fake
