// evaluate_test.cpp - `regimen evaluate`: what it says is what training measured.
#include <gmock/gmock.h>

#include <cmath>
#include <sstream>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class EvaluateTest : public TinyRun {
 protected:
  EvaluateTest() {
    write("p.yaml", tiny(20,
                         "  - name: tuned\n    strategy: finetune\n    batch: 8\n    steps: 20\n"
                         "    optimizer: {adamw: {learning_rate: 3e-3}}\n"
                         "    model: {from: base, head: {classify: {labels: [cat, dog]}}}\n"
                         "    data: {train: {tsv: rows.tsv, columns: {text: 0, label: 1}}, "
                         "validation: {tsv: held.tsv, columns: {text: 0, label: 1}}}\n"));
    std::string rows, held;
    for (int i = 0; i < 20; ++i) (i < 12 ? rows : held) += i % 2 ? "the dog ran\tdog\n" : "the cat sat\tcat\n";
    write("rows.tsv", rows), write("held.tsv", held + "the cat sat\tdog\n");
    const Said said = regimen("run p.yaml");
    EXPECT_EQ(said.status, 0) << said.err;
  }
  nlohmann::json evaluated(const std::string& arguments) const {
    const Said said = regimen("evaluate --json " + arguments);
    EXPECT_EQ(said.status, 0) << said.err;
    return parse_json(said.out);
  }
};

TEST_F(EvaluateTest, TheLossOfAFileIsThatOfItsTokens) {
  const auto whole = evaluated("--model runs/tiny/base --data text.txt");
  EXPECT_EQ(whole["tokens"], read_file(folder_ / "text.txt").size() - 1);  // characters
  EXPECT_NEAR(whole["perplexity"], std::exp(double(whole["loss"])), 1e-6);
  const Said said = regimen("evaluate --model runs/tiny/base --data text.txt --per-token --json");
  std::istringstream lines(said.out);
  double sum = 0, n = 0, right = 0;
  for (std::string line; std::getline(lines, line); ++n) {
    const auto token = parse_json(line);
    sum -= double(token["logprob"]);
    right += bool(token["likeliest"]);
  }
  EXPECT_NEAR(whole["loss"], sum / n, 1e-6);
  EXPECT_NEAR(whole["accuracy"], right / n, 1e-9);
}

TEST_F(EvaluateTest, ARowIsASequence) {
  write("two.jsonl", "{\"text\": \"the cat\"}\n{\"text\": \"the dog ran\"}\n");
  EXPECT_EQ(evaluated("--model runs/tiny/base --data two.jsonl")["tokens"], 6 + 10);
  write("two.JSONL", read_file(folder_ / "two.jsonl"));
  EXPECT_EQ(evaluated("--model runs/tiny/base --data two.JSONL")["tokens"], 6 + 10);
  const Said named = regimen("evaluate --model runs/tiny/base --data two.jsonl --column text=body");
  EXPECT_EQ(named.status, 2);
  EXPECT_THAT(named.err, HasSubstr("two.jsonl:1: there is no text \"body\"; there are text"));
}

TEST_F(EvaluateTest, AClassifierIsHeldAgainstItsLabels) {
  const auto result = json("runs/tiny/tuned/stage.json")["result"];
  const auto again = evaluated("--model runs/tiny/tuned --data held.tsv --column text=0 --column label=1");
  EXPECT_EQ(again["examples"], 9);
  EXPECT_NEAR(again["accuracy"], 8.0 / 9, 1e-9);  // one is mislabelled
  EXPECT_NEAR(again["accuracy"], result["accuracy"], 1e-6);
  EXPECT_NEAR(again["loss"], result["validation_loss"], 1e-5);
}

TEST_F(EvaluateTest, WhatCannotBeScoredIsSaid) {
  const auto refusal = [&](const std::string& arguments) {
    const Said said = regimen("evaluate " + arguments);
    EXPECT_EQ(said.status, 2) << arguments;
    return said.err;
  };
  write("one.txt", "t"), write("empty.txt", "");
  EXPECT_THAT(refusal("--model runs/tiny/base --data one.txt"), HasSubstr("nothing to predict"));
  EXPECT_THAT(refusal("--model runs/tiny/base --data empty.txt"), HasSubstr("nothing to predict"));
  EXPECT_THAT(refusal("--model runs/tiny/base --data absent.txt"), HasSubstr("there is no file \"absent.txt\""));
  EXPECT_THAT(refusal("--model runs/tiny/absent --data text.txt"), HasSubstr("runs/tiny/absent"));
  EXPECT_THAT(refusal("--model runs/tiny/base --data text.txt --column text=body"),
              HasSubstr("--column is \"text=body\", and text.txt is a text, which has no columns"));
  EXPECT_THAT(refusal("--model runs/tiny/base"), HasSubstr("which file?"));
  EXPECT_THAT(refusal("--data text.txt"), HasSubstr("which model?"));
  EXPECT_THAT(refusal("--model runs/tiny/tuned --data text.txt"), HasSubstr("label"));
}

}  // namespace
}  // namespace rgm
