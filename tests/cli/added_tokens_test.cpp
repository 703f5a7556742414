// added_tokens_test.cpp - `model: {from: X, add_tokens: [...]}`: a base model learns tokens that its tokenizer lacks.
#include <gmock/gmock.h>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class AddedTokensTest : public TinyRun {
 protected:
  AddedTokensTest() {
    std::string rows, pairs;
    for (int i = 0; i < 20; ++i)
      rows += R"({"text": "<user>the cat<end>"})"
              "\n";
    for (int i = 0; i < 4; ++i)
      pairs += R"({"prompt": "<user>the ", "chosen": "cat<end>", "rejected": "dog<end>"})"
               "\n";
    write("rows.jsonl", rows), write("pairs.jsonl", pairs);
  }
  static std::string stage(const std::string& name, const std::string& model, const std::string& more,
                           const std::string& strategy = "finetune", const std::string& data = "rows.jsonl") {
    return "  - {name: " + name + ", strategy: " + strategy + ", model: " + model +
           ", batch: 4, steps: 2,\n     data: " + "{train: {jsonl: " + data + "}}" + more + "}\n";
  }
  const std::string tokens = R"(add_tokens: ["<user>", "<end>"])";
};

// The text has 25 different characters, and the base 26,784 parameters, 32 of them in each row of its embedding.
TEST_F(AddedTokensTest, TheEmbeddingGrowsByARowForEach) {
  write("p.yaml",
        tiny(2, stage("chat", "{from: base, " + tokens + "}", "") +
                    stage("prefer", "{from: base, " + tokens + "}", ", log: {every: 1}", "dpo", "pairs.jsonl")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("stage chat: the tokenizer gets <user> (25), <end> (26); the embedding has 27 rows "
                                  "instead of 25\n"));
  const auto record = json("runs/tiny/chat/stage.json");
  EXPECT_EQ(record["configuration"]["model"], parse_json(R"({"from": "base", "add_tokens": ["<user>", "<end>"]})"));
  EXPECT_EQ(record["result"]["trained_parameters"], 26784 + 2 * 32);
  EXPECT_EQ(record["data"]["train"]["tokens"], 20 * 9);  // 7 characters between two tokens
  EXPECT_EQ(json("runs/tiny/chat/model/config.json")["vocab_size"], 27);
  EXPECT_EQ(json("runs/tiny/chat/model/tokenizer.json")["added_tokens"][1]["content"], "<end>");
  // The reference that is not named has them too: nothing differs yet, and the loss is log 2.
  EXPECT_NEAR(json_lines("runs/tiny/prefer/metrics.jsonl").at(0)["loss"], 0.693147, 1e-5);
  // Another list is another stage.
  EXPECT_THAT(regimen("run p.yaml").err, HasSubstr("stage chat: unchanged, not run again"));
  const Said other =
      regimen("run p.yaml --only chat --set 'stages.chat.model.add_tokens=[\"<user>\", \"<end>\", <x>]'");
  EXPECT_EQ(other.status, 0) << other.err;
  EXPECT_THAT(other.err, HasSubstr("<x> (27); the embedding has 28 rows instead of 25"));
}

TEST_F(AddedTokensTest, BesideAnAdapterTheRowsHaveToBeTrained) {
  const std::string model = "{from: base, " + tokens + "}";
  write("p.yaml", tiny(2, stage("chat", model, ", adapter: lora")));
  const Said said = regimen("check p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err,
              HasSubstr("p.yaml:13:38: stage \"chat\": model: add_tokens: the rows of <user>, <end> begin alike, and "
                        "nothing would train them, as embedding.weight is frozen: write trainable: {names: "
                        "[embedding.weight]}, which may stand beside an adapter, or train all of the model"));
  // Where the head is not the embedding, what is trained already has to stay so.
  EXPECT_THAT(regimen("check p.yaml --set stages.base.model.tied=false --set 'stages.chat.trainable={last: 1}'").err,
              HasSubstr("as embedding.weight is frozen: write trainable: {names: [embedding.weight, head.weight]}"));
  write("p.yaml", tiny(2, stage("chat", model, ", adapter: lora, trainable: {names: [embedding.weight]}") +
                              stage("more", "{from: chat}", "")));
  const Said run = regimen("run p.yaml");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(json("runs/tiny/chat/model/config.json")["vocab_size"], 27);
  EXPECT_EQ(json("runs/tiny/chat/adapter/adapter_config.json")["base_model_name_or_path"], "../model");
  EXPECT_EQ(json("runs/tiny/more/model/config.json")["vocab_size"], 27);
}

TEST_F(AddedTokensTest, AReferenceHasThemToo) {
  const std::string model = "{from: base, " + tokens + "}";
  write("p.yaml", tiny(2, stage("prefer", model, ", reference: {from: base}", "dpo", "pairs.jsonl")));
  const Said said = regimen("check p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err,
              HasSubstr("stage \"prefer\": reference: its model lacks tokens that the model being trained has: "
                        "<user>, <end>; use one that was trained with them (a reference that is left out is "
                        "the model itself as the stage begins)"));
}

TEST_F(AddedTokensTest, WhatCannotBeAddedIsTold) {
  write("p.yaml", tiny(2, stage("chat", "{from: base, add_tokens: [t]}", "")));
  const Said piece = regimen("check p.yaml");
  EXPECT_EQ(piece.status, 2);
  EXPECT_THAT(piece.err,
              HasSubstr("p.yaml:13:38: stage \"chat\": model: add_tokens: \"t\" is a piece of this tokenizer "
                        "already"));
  // The rows of an adapter at the embedding are those of the tokens before.
  write("p.yaml", tiny(2, stage("first", "{from: base}", ", adapter: {lora: {sites: [embedding]}}")));
  write("rows.jsonl", "{\"text\": \"the cat\"}\n");
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  write("q.yaml",
        "regimen: 1\nbackend: reference\nstages:\n" + stage("on", "{from: runs/tiny/first, " + tokens + "}", ""));
  const Said on = regimen("check q.yaml");
  EXPECT_EQ(on.status, 2);
  EXPECT_THAT(on.err, HasSubstr("an adapter at the embedding has no place for new tokens"));
}

}  // namespace
}  // namespace rgm
