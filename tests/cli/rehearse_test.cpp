// rehearse_test.cpp - what is wrong with a later stage is told before the first one is trained, by `check` and by
// `run`.
#include <gmock/gmock.h>

#include "cli/rehearsed_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::Not;
using Rehearsal = RehearsedRun;

TEST_F(Rehearsal, WhatALaterStageCannotDoIsToldBeforeTheFirst) {
  expect_told(second(""), "stage \"second\": rows.tsv:2: there is no \"sentence\"",
              "stages.second.data.train.columns={text: sentence}");
  expect_told(second(""), "not a label of the model", "stages.second.model.head={classify: {labels: [good, bad]}}");
  expect_told(second(""), "stage \"second\": adapter \"lora\": no site",
              "stages.second.adapter={lora: {sites: nosuch}}");
  expect_told(second(""), "matches \"v_proj\"; did you mean \"*.attention.value\"?",
              "stages.second.adapter={lora: {sites: v_proj}}");
  expect_told(second(""), "two adapters \"lora\"", "stages.second.adapter=[lora, lora]");
  expect_told(second(""), "no parameter matches \"zzz*\"", "stages.second.trainable={names: [\"zzz*\"]}");
  expect_told(second(""), "no trained parameter matches \"lora.*\"",
              "stages.second.optimizer={adamw: {rates: {\"lora.*\": 1}}}");
  expect_told(second("    adapter: lora\n"), "\"layers.*\" matches \"layers.0.attention_norm.weight\", which the stage",
              "stages.second.optimizer={adamw: {rates: {\"layers.*\": 1}}}");
  expect_told(second(""), "40 virtual tokens", "stages.second.adapter={soft_prompt: {length: 40}}");
}

// A run says it, too, but only when it comes to the stage.
TEST_F(Rehearsal, PatternsAndWeightsThatMeanNothingAreTold) {
  write("p.yaml", tiny(3,
                       "    optimizer: {muon: {matrices: [\"*.atention.*\", \"*.mlp.*\"], decay: \"*.wieght\"}}\n"
                       "    weights: bfloat16\n"));
  const Said wrong = regimen("check p.yaml");
  EXPECT_EQ(wrong.status, 0) << wrong.err;
  for (const char* part :
       {"stage \"base\": optimizer: decay: \"*.wieght\" is not the name of a trained parameter; did you mean "
        "\"*.weight\"?",
        "stage \"base\": optimizer: muon: matrices: \"*.atention.*\" is not the name of a trained matrix",
        "stage \"base\": weights: bfloat16 changes nothing, as every matrix is trained, in float32"})
    EXPECT_THAT(wrong.err, HasSubstr(part));
  EXPECT_THAT(wrong.err, Not(HasSubstr("mlp")));
  const Said right = regimen(
      "check p.yaml --set stages.base.optimizer.muon.matrices='*.mlp.*' --set stages.base.optimizer.muon.decay='*' "
      "--set 'stages.base.trainable={last: 1}'");
  EXPECT_EQ(right.err.find("is not the name"), std::string::npos) << right.err;
  EXPECT_EQ(right.err.find("changes nothing"), std::string::npos) << right.err;
}

TEST_F(Rehearsal, BehindAnAdapterMistakesAreSeenToo) {
  const std::string third =
      second("    adapter: lora\n") +
      "  - name: third\n    strategy: finetune\n    model: {from: second}\n    data: {train: {tsv: rows.tsv}}\n"
      "    batch: 2\n    steps: 2\n";
  expect_told(third, "stage \"third\": rows.tsv:2: there is no \"sentence\"",
              "stages.third.data.train.columns={text: sentence}");
  expect_told(third, "stage \"third\": its model comes with an adapter \"lora\" (second)", "stages.third.adapter=lora");
  write("p.yaml", third);
  EXPECT_EQ(regimen("check p.yaml").status, 0);
}

TEST_F(Rehearsal, WhatAHeadLearnsHasToBeThere) {
  write("plain.tsv", "text\tvalue\nthe cat\tpos\nthe dog\tneg\n");
  expect_told(second(""), "stage \"second\": plain.tsv:2: there is no \"label\"",
              "stages.second.data={train: {tsv: rows.tsv}, validation: {tsv: plain.tsv}}");
  // A column of another head is not looked at.
  write("p.yaml", second(""));
  EXPECT_EQ(
      regimen("check p.yaml --set 'stages.second.model={from: base}' --set stages.second.data.train.tsv=plain.tsv")
          .status,
      0);
}

TEST_F(Rehearsal, ASampleThatCannotBeReadIsTold) {
  expect_told(second(""), "base: sample: tokenizer: the character \"Ü\"", "stages.base.sample={prompt: Ü}");
}

TEST_F(Rehearsal, EveryStageIsLookedAt) {
  write("p.yaml",
        second("    trainable: {names: [a*b]}\n") +
            "  - name: third\n    strategy: finetune\n    model: {from: base}\n    adapter: {lora: {sites: no}}\n"
            "    data: {train: {text: text.txt}}\n    batch: 2\n    steps: 2\n");
  const Said said = regimen("check p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("stage \"second\": trainable"));
  EXPECT_THAT(said.err, HasSubstr("stage \"third\": adapter"));
}

// tiny() has 12 lines: the stage begins at 13:5, its data stands in line 16, what is added to it in line 19.
TEST_F(Rehearsal, WhatOpeningAStageTellsHasAPlace) {
  write("p.yaml", second("    trainable: {names: [nosuch]}\n"));
  EXPECT_THAT(regimen("check p.yaml").err, HasSubstr("p.yaml:19:5: stage \"second\": trainable"));
  write("p.yaml", second(""));
  const auto told = [&](const std::string& set) {
    return regimen("check p.yaml --set 'stages.second." + set + "'").err;
  };
  EXPECT_THAT(told("data.train.columns={text: sentence}"), HasSubstr("p.yaml:16:5: stage \"second\": rows.tsv:2: "));
  EXPECT_THAT(told("adapter={lora: {sites: nosuch}}"),
              HasSubstr("--set stages.second.adapter={lora: {sites: nosuch}}: stage \"second\": adapter \"lora\""));
  EXPECT_THAT(told("adapter={soft_prompt: {length: 40}}"), HasSubstr("p.yaml:13:5: second: 40 virtual tokens"));
}

TEST_F(Rehearsal, ModelsThatReadTheSameTokensMustMeanTheSameByThem) {
  const std::string bytes =
      tiny(3) +
      "  - name: other\n    strategy: pretrain\n    model: {family: gpt2, layers: 1, heads: 2, channels: 16, "
      "context: 16}\n    tokenizer: bytes\n    data: {train: {text: text.txt}}\n    batch: 2\n    steps: 2\n";
  expect_told(bytes +
                  "  - name: pull\n    strategy: distill\n    model: {from: base}\n    teacher: {from: other}\n    "
                  "data: {train: {text: text.txt}}\n    batch: 2\n    steps: 2\n",
              "stage \"pull\": teacher: its model has a different tokenizer (257 tokens) from the model being trained");
  expect_told(bytes +
                  "  - name: prefer\n    strategy: dpo\n    model: {from: base}\n    reference: {from: other}\n    "
                  "data: {train: {jsonl: pairs.jsonl, columns: {chosen: {prompt: prompt, answer: good}, rejected: "
                  "{prompt: prompt, answer: bad}}}}\n    batch: 1\n    steps: 2\n",
              "stage \"prefer\": reference: its model has a different tokenizer");
}

}  // namespace
}  // namespace rgm
