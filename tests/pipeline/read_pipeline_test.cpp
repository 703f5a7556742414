// read_pipeline_test.cpp - what a right pipeline becomes: every part of the grammar, defaults, effective values.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "fake_components.hpp"
#include "pipeline/open_model.hpp"
#include "plugins/options.hpp"

namespace rgm::fake {
namespace {

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

using ReadPipeline = PipelineTest;

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

TEST_F(ReadPipeline, EffectiveHoldsEveryValueInForce) {
  const nlohmann::json e = read(one_stage("    steps: 7\n    adapter: low_rank\n")).stages[0].effective;
  EXPECT_EQ(e["strategy"], parse_json(R"({"pretrain": {}})"));
  EXPECT_EQ(e["adapter"], parse_json(R"([{"low_rank": {"rank": 8, "alpha": 16.0, "sites": ["*.query"]}}])"));
  EXPECT_EQ(e["tokenizer"], "bytes");
  EXPECT_EQ(e["optimizer"]["adamw"]["beta2"], 0.999);
  EXPECT_EQ(e["steps"], 7);
  EXPECT_EQ(e["micro_batch"], 8);
  EXPECT_EQ(e["trainable"], "adapter");
  EXPECT_EQ(e["data"]["train"]["text"][0], (folder_ / "data/a.txt").string());
  EXPECT_FALSE(e.contains("epochs"));
  // 1 layer, 2 heads, 8 channels
  EXPECT_EQ(e["model"]["kv_heads"], 2);
  EXPECT_EQ(e["model"]["hidden"], 32);
  EXPECT_EQ(e["model"]["dropout"], 0);
  EXPECT_EQ(e["model"]["tied"], true);
}

TEST_F(ReadPipeline, ALengthAndAMergedModelAreInForce) {
  const Pipeline p = read(one_stage("    steps: 7\n    length: 6\n    adapter: low_rank\n") +
                          "  - {name: b, strategy: pretrain, model: {from: base, merged: true}, data: {train: {text: "
                          "a.txt}}, steps: 1}\n");
  EXPECT_EQ(p.stages[0].length, 6);
  EXPECT_EQ(p.stages[0].effective["length"], 6);
  EXPECT_FALSE(p.stages[1].effective.contains("length"));
  EXPECT_TRUE(p.stages[1].model.merged);
  EXPECT_EQ(p.stages[1].effective["model"], parse_json(R"({"from": "base", "merged": true})"));
}

TEST_F(ReadPipeline, AddedTokensKeepTheirOrder) {
  const Stage stage = read(one_stage("    steps: 7\n") +
                           "  - {name: b, strategy: pretrain, model: {from: base, add_tokens: [<b>, <a>]}, data: "
                           "{train: {text: a.txt}}, steps: 1}\n")
                          .stages[1];
  EXPECT_THAT(stage.model.add_tokens, testing::ElementsAre("<b>", "<a>"));
  EXPECT_EQ(stage.effective["model"], parse_json(R"({"from": "base", "add_tokens": ["<b>", "<a>"]})"));
}

TEST_F(ReadPipeline, ANewModelSharesItsEmbeddingWithItsHeadWhereAskedTo) {
  const auto of = [&](const std::string& more) {
    std::string text = one_stage("    steps: 7\n");
    text.replace(text.find("family: gpt2"), 12, "family: qwen2" + more);
    return read(text).stages[0];
  };
  EXPECT_EQ(of("").effective["model"]["tied"], false);
  EXPECT_EQ(of(", tied: true").effective["model"]["tied"], true);
  EXPECT_EQ(config_of(of(", tied: true").model, 10).is_tied(), true);
  EXPECT_EQ(config_of(of("").model, 10).is_tied(), false);
}

TEST_F(ReadPipeline, EffectiveSaysWhatIsHeldOut) {
  const ReadOptions options = set({"stages.base.data.validation.split=0.1"});
  const nlohmann::json e = read(one_stage("    steps: 7\n"), options).stages[0].effective;
  EXPECT_EQ(e["data"]["validation"]["split"], 0.1);
  EXPECT_FALSE(e["data"]["train"].contains("split"));
}

TEST_F(ReadPipeline, PartsOfAScheduleAreStepsOrShares) {
  const Stage shares = read(one_stage("    steps: 200\n    schedule: {wsd: {warmup: 3%, final: 1e-5}}\n")).stages[0];
  EXPECT_EQ(shares.schedule.warmup.of(200), 6);
  EXPECT_EQ(shares.schedule.decay.of(200), 20);
  EXPECT_EQ(shares.effective["schedule"], parse_json(R"({"wsd": {"warmup": "3%", "decay": "10%", "final": 1e-5}})"));
  const Stage steps = read(one_stage("    steps: 7\n    schedule: {wsd: {warmup: 2, decay: 3}}\n")).stages[0];
  EXPECT_EQ(steps.effective["schedule"], parse_json(R"({"wsd": {"warmup": 2, "decay": 3, "final": 0.0}})"));
  const Stage given = read(one_stage("    steps: 7\n"), set({"stages.base.schedule.linear.warmup=2.5%"})).stages[0];
  EXPECT_EQ(given.schedule.warmup.percent, 2.5);
  EXPECT_EQ(given.effective["schedule"]["linear"]["warmup"], "2.5%");
}

// As `plan` prints them they can be given, too.
TEST_F(ReadPipeline, RatesKeepTheirOrder) {
  const auto of = [&](const std::string& rates) {
    return read(one_stage("    steps: 7\n    optimizer: {sgd: {rates: " + rates + "}}\n")).stages[0];
  };
  const Stage stage = of("{\"z*\": 1e-3, a.b: 0.5}");
  ASSERT_EQ(stage.optimizer.rates.size(), 2u);
  EXPECT_EQ(stage.optimizer.rates[0].pattern, "z*");
  EXPECT_EQ(stage.optimizer.rates[0].learning_rate, 1e-3);
  EXPECT_EQ(stage.optimizer.rates[1].pattern, "a.b");
  const nlohmann::json printed = stage.effective["optimizer"]["sgd"]["rates"];
  EXPECT_EQ(printed, parse_json(R"([{"z*": 1e-3}, {"a.b": 0.5}])"));
  EXPECT_EQ(of(printed.dump()).effective, stage.effective);
  EXPECT_NE(of("{a.b: 0.5, \"z*\": 1e-3}").effective, stage.effective);
  EXPECT_FALSE(of("{}").effective["optimizer"]["sgd"].contains("rates"));
}

TEST_F(ReadPipeline, EvaluationsByRoundsReplaceThoseBySteps) {
  const ReadOptions options = set({"stages.base.data.validation.split=0.5", "stages.base.evaluate.epochs=0.5"});
  const Stage base = read(one_stage("    steps: 7\n    evaluate: {every: 5, patience: 3}\n"), options).stages[0];
  EXPECT_EQ(base.evaluate_every, 0);
  EXPECT_EQ(base.evaluate_epochs, 0.5);
  EXPECT_EQ(base.patience, 3);
  EXPECT_EQ(base.effective["evaluate"], parse_json(R"({"epochs": 0.5, "patience": 3})"));
}

TEST_F(ReadPipeline, TheBestIsByTheNumberThatIsNamed) {
  const auto of = [&](const std::string& line) {
    return read(one_stage("    steps: 7\n    " + line + "\n"), set({"stages.base.data.validation.split=0.5"}))
        .stages[0];
  };
  const Stage highest = of("keep: {best: validation_accuracy}");
  EXPECT_EQ(highest.keep, "best");
  EXPECT_EQ(highest.best_by, "validation_accuracy");
  EXPECT_TRUE(highest.highest_is_best);
  EXPECT_EQ(highest.effective["checkpoint"]["keep"], parse_json(R"({"best": {"validation_accuracy": "highest"}})"));
  const Stage lowest = of("checkpoint: {every: 2, keep: {best: validation_perplexity}}");
  EXPECT_EQ(lowest.best_by, "validation_perplexity");
  EXPECT_FALSE(lowest.highest_is_best);
  EXPECT_EQ(lowest.effective["checkpoint"]["every"], 2);
  EXPECT_TRUE(of("keep: {best: {validation_loss: highest}}").highest_is_best);
  EXPECT_EQ(of("keep: best").best_by, "");
  EXPECT_EQ(of("keep: best").effective["checkpoint"]["keep"], "best");
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

TEST_F(ReadPipeline, NameAndSeedHaveDefaults) {
  const Pipeline p = read(one_stage("    steps: 7\n"));
  EXPECT_EQ(p.name, "p");
  EXPECT_EQ(p.seed, 1337u);
  EXPECT_FALSE(p.backend);
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

TEST_F(ReadPipeline, DataIsFoundInTheFolderOfTheVariable) {
  fs::create_directories(folder_ / "elsewhere");
  write_file(folder_ / "elsewhere" / "b.txt", "b");
  ::setenv("REGIMEN_DATA", (folder_ / "elsewhere").c_str(), 1);
  const Pipeline p = read(one_stage("    steps: 7\n"), set({"stages.base.data.train.text=b.txt"}));
  EXPECT_EQ(p.stages[0].data.at("train").files[0], folder_ / "elsewhere" / "b.txt");
}

}  // namespace
}  // namespace rgm::fake
