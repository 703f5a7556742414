// merged_test.cpp - `model: {from: X, merged: true}`: a stage that begins with the adapter of its model folded in.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "artefact/safetensors.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class MergedTest : public TinyRun {
 protected:
  MergedTest() {
    write("short.txt", "the cat sat on the mat and the dog ran 7 times\n");
    const std::string row = R"({"prompt": "the ", "chosen": "cat", "rejected": "dog"})";
    write("pairs.jsonl", row + "\n" + row + "\n");
  }
  static std::string stage(const std::string& name, const std::string& model, const std::string& more,
                           const std::string& strategy = "finetune") {
    return "  - name: " + name + "\n    strategy: " + strategy + "\n    model: " + model +
           "\n    batch: 4\n    optimizer: {adamw: {learning_rate: 1e-2}}\n" + more;
  }
  static std::string with(const std::string& adapter, int steps) {
    return "    data: {train: {text: text.txt}}\n    adapter: {" + adapter + "}\n    steps: " + std::to_string(steps) +
           "\n";
  }
  static std::string first(int steps = 20) { return stage("first", "{from: base}", with("lora: {rank: 4}", steps)); }
  double loss(const std::string& model) const {
    const Said said = regimen("evaluate --json --data short.txt --backend reference --model " + model);
    EXPECT_EQ(said.status, 0) << said.err;
    return said.status == 0 ? parse_json(said.out)["loss"].get<double>() : NAN;
  }
};

TEST_F(MergedTest, ANewAdapterIsTrainedOnTheMergedModel) {
  write("p.yaml", tiny(10, first() + stage("second", "{from: first, merged: true}", with("lora: {rank: 4}", 20))));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("stage second: the adapter of first is merged; the answers differ by "));
  const auto record = json("runs/tiny/second/stage.json");
  EXPECT_EQ(record["configuration"]["model"], parse_json(R"({"from": "first", "merged": true})"));
  EXPECT_EQ(record["result"]["base_unchanged"], true);
  // It stands by itself, where the first one refers to its base.
  EXPECT_FALSE(fs::exists(folder_ / "runs/tiny/first/model"));
  EXPECT_EQ(json("runs/tiny/second/adapter/adapter_config.json")["base_model_name_or_path"], "../model");
  EXPECT_NE(hash_of("runs/tiny/second/model/model.safetensors"), hash_of("runs/tiny/base/model/model.safetensors"));
  const double before = loss("runs/tiny/first"), second = loss("runs/tiny/second");
  EXPECT_NEAR(loss("runs/tiny/second/model"), before, 1e-5);
  EXPECT_GT(std::abs(second - before), 1e-4);
  ASSERT_EQ(regimen("merge --model runs/tiny/second --out whole").status, 0);
  EXPECT_NEAR(loss("whole"), second, 1e-5);
  EXPECT_THAT(regimen("run p.yaml").err, HasSubstr("stage second: unchanged, not run again"));
  // A folder does as well as a stage; without the key, the two adapters would have one name.
  write("on.yaml", "regimen: 1\nbackend: reference\nstages:\n" +
                       stage("on", "{from: runs/tiny/second, merged: true}", with("lora: {rank: 2}", 1)));
  const Said on = regimen("check on.yaml"), without = regimen("check on.yaml --set stages.on.model.merged=false");
  EXPECT_EQ(on.status, 0) << on.err;
  EXPECT_EQ(without.status, 2);
  EXPECT_THAT(without.err, HasSubstr("model: {from: ..., merged: true}"));
}

// A fresh adapter changes nothing yet: both answers are as likely as the reference says, and the loss is log 2.
TEST_F(MergedTest, WithoutItsAdapterItIsTheReference) {
  write("p.yaml", tiny(10, first() + stage("prefer", "{from: first, merged: true}",
                                           "    data: {train: {jsonl: pairs.jsonl}}\n    adapter: lora\n    steps: 1\n"
                                           "    log: {every: 1}\n",
                                           "dpo")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_NEAR(json_lines("runs/tiny/prefer/metrics.jsonl").at(0)["loss"], std::log(2.0), 1e-5);
}

TEST_F(MergedTest, WhatCannotBeMergedIsTold) {
  const std::string why =
      "adapter \"soft_prompt\" cannot be merged: it puts vectors in front of the text; leave \"merged\" out";
  const std::string on = with("lora: {rank: 2}", 1);
  write("p.yaml", tiny(2, stage("soft", "{from: base}", with("soft_prompt: {length: 2}", 1)) +
                              stage("on", "{from: soft, merged: true}", on)));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr(why));
  EXPECT_FALSE(fs::exists(folder_ / "runs/tiny/base"));
  write("p.yaml", tiny(2, stage("soft", "{from: base}", with("soft_prompt: {length: 2}", 1))));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  write("on.yaml",
        "regimen: 1\nbackend: reference\nstages:\n" + stage("on", "{from: runs/tiny/soft, merged: true}", on));
  const Said opened = regimen("check on.yaml");
  EXPECT_EQ(opened.status, 2);
  EXPECT_THAT(opened.err, HasSubstr("on.yaml:6:5: stage \"on\": model: " + why));
}

// It is merged in float32 and rounded then.
TEST_F(MergedTest, KeptInBfloat16AndKilledItEndsWithTheSameBits) {
  write("p.yaml", tiny(5, first(10)));
  ASSERT_EQ(regimen("run p.yaml --out killed").status, 0);
  write("p.yaml",
        "regimen: 1\nname: tiny\nseed: 3\nbackend: reference\nstages:\n"
        "  - {name: last, strategy: finetune, model: {from: killed/first, merged: true}, batch: 4, steps: 150,\n"
        "     data: {train: {text: text.txt}}, adapter: {lora: {rank: 2}}, weights: bfloat16,\n"
        "     checkpoint: {every: 50}}\n");
  ASSERT_NO_FATAL_FAILURE(kill_and_resume("last/checkpoint/step-50"));
  const Said whole = regimen("run p.yaml --out whole");
  ASSERT_EQ(whole.status, 0) << whole.err;
  for (const char* file : {"last/model/model.safetensors", "last/adapter/adapter_model.safetensors"})
    EXPECT_EQ(hash_of(std::string("killed/") + file), hash_of(std::string("whole/") + file)) << file;
  const SafeTensors file(folder_ / "whole/last/model/model.safetensors");
  EXPECT_TRUE(std::ranges::any_of(file.tensors(), [](const SavedTensor& t) { return t.dtype == RGM_BF16; }));
  const double exact = loss("killed/first");
  EXPECT_NEAR(loss("whole/last/model"), exact, 5e-3 * exact);
}

}  // namespace
}  // namespace rgm
