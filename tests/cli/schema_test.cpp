// schema_test.cpp - `regimen schema`: every pipeline that comes with the project holds by it, and what an editor should
// underline does not.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "cli/json_schema.hpp"
#include "cli/program.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class Schema : public testing::Test {
 protected:
  static const nlohmann::json& json() {
    static const auto made =
        parse_json(regimen("schema", "REGIMEN_PLUGIN_PATH=" REGIMEN_BUILD_DIRECTORY "/lib/regimen-fixtures").out);
    return made;
  }
  static std::string problem(const std::string& yaml) { return JsonSchema(json()).problem(json_of(YAML::Load(yaml))); }
  // Of a stage with one line more.
  static std::string problem_with(const std::string& line) {
    return problem(
        "regimen: 1\nstages:\n  - name: base\n    strategy: pretrain\n    model: {family: gpt2, layers: 2, "
        "heads: 2, channels: 32, context: 16}\n    data: {train: {text: a.txt}}\n    " +
        line + "\n");
  }
};

TEST_F(Schema, IsDraft202012) {
  EXPECT_EQ(json()["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(json()["$defs"]["adapter"]["anyOf"][1]["properties"]["lora"]["properties"]["rank"]["type"], "integer");
}

TEST_F(Schema, HasTheSitesThatAnAdapterActsOnByItself) {
  const auto& adapters = json()["$defs"]["adapter"]["anyOf"][1]["properties"];
  const auto listed = parse_json(regimen("plugins lora --json").out)[0]["options"];
  for (const auto& option : listed)
    if (option["key"] == "sites") {
      EXPECT_EQ(adapters["lora"]["properties"]["sites"]["default"], option["default"]);
      EXPECT_FALSE(option["default"].empty());
      return;
    }
  ADD_FAILURE() << "lora has no option sites";
}

TEST_F(Schema, EveryPipelineThatComesWithTheProjectHolds) {
  int seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(REGIMEN_SOURCE_DIRECTORY) / "configs")) {
    if (entry.path().extension() != ".yaml") continue;
    EXPECT_EQ(problem(read_file(entry.path())), "") << entry.path();
    ++seen;
  }
  EXPECT_GE(seen, 6);
}

TEST_F(Schema, TakesWhatTheReadersTake) {
  for (const char* line :
       {"steps: 2e3",
        "epochs: 0.5",
        "optimizer: sgd",
        "optimizer: {sgd: {momentum: 0.9}}",
        "optimizer: {adamw: {decay: [\"*.weight\"]}}",
        "optimizer: {adamw: {rates: {\"*.b\": 1e-3, head.weight: 2}}}",
        "optimizer: {sgd: {rates: [{\"*.b\": 1e-3}]}}",
        "optimizer: muon",
        "optimizer: {muon: {steps: 6, scale: original, matrices: \"*.mlp.*\", adamw: {beta2: 0.9}}}",
        "schedule: {linear: {warmup: 10, final: 0}}",
        "schedule: {cosine: {warmup: 3%}}",
        "schedule: {constant: {warmup: 100%}}",
        "schedule: wsd",
        "schedule: {wsd: {warmup: 2.5%, decay: 100, final: 1e-5}}",
        "evaluate: {epochs: 0.5, patience: 3}",
        "keep: {best: accuracy}",
        "keep: {average: 0.999}",
        "micro_batch: auto",
        "micro_batch: 3",
        "keep: {best: {kl: lowest}, average: 0.9}",
        "trainable: head",
        "trainable: {last: 2}",
        "trainable: {names: [\"layers.0.*\"]}",
        "tokenizer: {bpe: {vocabulary: 512}}",
        "tokenizer: {from: elsewhere}",
        "adapter: lora",
        "adapter: [{lora: {rank: 4, sites: \"*.query\"}}, ia3]",
        "reward: {from: judge, weight: 0.5}",
        "reward: [{from: judge, label: positive, end_of_text: true}, ranking]",
        "reference: {from: base}",
        "sample: {prompt: 1999, tokens: 5}",
        "sample: {prompt: a, stop: [\"\\n\", 2]}",
        "sample: {prompt: a, stop: End}",
        "precision: bfloat16",
        "length: 512",
        "checkpoint: {minutes: 10, keep: best}",
        "checkpoint: {every: 5, keep: {best: {kl: lowest}}}",
        "data: {train: {jsonl: a, columns: {text: {messages: said, template: chatml, roles: [assistant, tool]}}}}",
        "data: {train: {jsonl: a, columns: {text: {messages: said, roles: user}}}}",
        "data: {train: [{text: a, share: 0.8}, {jsonl: b, rows: 9, share: 0.2}], validation: [{text: c}, {from: d}]}"})
    EXPECT_EQ(problem_with(line), "") << line;
  EXPECT_EQ(problem("regimen: 1\nstages: [{name: a, strategy: pretrain, model: {from: b, merged: true}}]"), "");
  EXPECT_EQ(problem("regimen: 1\nstages: [{name: a, strategy: pretrain, model: {from: b, add_tokens: [<x>]}}]"), "");
}

TEST_F(Schema, UnknownKeysFail) {
  for (const char* line :
       {"lerning_rate: 1", "optimizer: {adam: {}}", "optimizer: {adamw: {lr: 1}}", "adapter: {lora: {r: 4}}",
        "adapter: lroa", "schedule: {constant: {final: 1}}", "schedule: {linear: {decay: 5}}",
        "sample: {prompt: a, max_tokens: 5}", "checkpoint: {steps: 1}"})
    EXPECT_NE(problem_with(line), "") << line;
  EXPECT_THAT(problem_with("lerning_rate: 1"), HasSubstr("/stages/0/lerning_rate: unknown key"));
  EXPECT_THAT(problem("regimen: 1\nstage: []\nstages: [{name: a, strategy: pretrain, model: {from: b}}]"),
              HasSubstr("/stage: unknown key"));
}

TEST_F(Schema, WrongTypesAndRangesFail) {
  for (const char* line : {"steps: many",
                           "steps: 0",
                           "steps: 1.5",
                           "batch: [4]",
                           "length: 1",
                           "clip: -1",
                           "keep: first",
                           "adapter: {lora: {rank: 0}}",
                           "adapter: {lora: {rank: high}}",
                           "trainable: {last: 2, names: a}",
                           "optimizer: {adamw: {beta1: 1}}",
                           "optimizer: {adamw: {rates: {head.weight: 0}}}",
                           "optimizer: {adamw: {rates: 1e-3}}",
                           "schedule: {cosine: {warmup: 0.03}}",
                           "schedule: {cosine: {warmup: 101%}}",
                           "schedule: {wsd: {decay: much}}",
                           "keep: {best: {kl: least}}",
                           "keep: {average: 1}",
                           "micro_batch: 0",
                           "micro_batch: most",
                           "keep: {}",
                           "evaluate: {patience: 0}",
                           "optimizer: {adamw: {moments: float16}}",
                           "optimizer: {sgd: {moments: bfloat16}}",
                           "optimizer: {muon: {moments: bfloat16}}",
                           "optimizer: {muon: {scale: none}}",
                           "optimizer: {muon: {adamw: {moments: float16}}}",
                           "evaluate: 100",
                           "recompute: maybe",
                           "precision: float16",
                           "data: {train: []}",
                           "data: {train: [{text: a, share: 2}]}",
                           "data: {train: {text: a, rows: 0}}"})
    EXPECT_NE(problem_with(line), "") << line;
  EXPECT_THAT(problem_with("steps: many"), HasSubstr("/stages/0/steps: wanted \"integer\", came \"many\""));
  EXPECT_NE(problem("regimen: 2\nstages: [{name: a, strategy: pretrain, model: {from: b}}]"), "");
  EXPECT_NE(problem("regimen: 1\nstages: []"), "");
  EXPECT_NE(problem("regimen: 1\nstages: [{name: a, strategy: pretrain}]"), "");
}

}  // namespace
}  // namespace rgm
