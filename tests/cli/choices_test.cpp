// choices_test.cpp - questions with several choices: in a stage's evaluations and by `regimen evaluate`, with the same
// numbers.
#include <gmock/gmock.h>

#include <sstream>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class ChoicesTest : public TinyRun {
 protected:
  ChoicesTest() {
    write("pets.jsonl",
          "{\"goal\": \"the cat\", \"a\": \"sat on the mat\", \"b\": \"ran\", \"label\": 0}\n"
          "{\"goal\": \"and the dog\", \"a\": \"sat\", \"b\": \"ran 1 times\", \"label\": 1}\n"
          "{\"goal\": \"the mat\", \"a\": \"and the dog\", \"b\": \"ran\", \"label\": 0}\n");
  }
  static std::string stage(const std::string& more) {
    return "regimen: 1\nname: tiny\nseed: 3\nbackend: reference\nstages:\n  - name: base\n    strategy: pretrain\n"
           "    model: {family: gpt2, layers: 2, heads: 2, channels: 32, context: 16}\n    tokenizer: characters\n"
           "    steps: 12\n    batch: 4\n" +
           more;
  }
  nlohmann::json result() const { return json("runs/tiny/base/stage.json")["result"]; }
};

constexpr const char* pets = "choices: {jsonl: pets.jsonl, columns: {prompt: goal, choices: [a, b], answer: label}}";

TEST_F(ChoicesTest, AStageIsJudgedByThemAsTheCommandIs) {
  write("p.yaml", stage(std::string("    data: {train: {text: text.txt}, ") + pets +
                        "}\n    evaluate: {every: 4}\n    keep: {best: accuracy}\n    demand: {accuracy: 0}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto of_stage = result();
  EXPECT_FALSE(of_stage.contains("validation_loss"));
  EXPECT_GT(of_stage["best_step"], 0);
  std::istringstream lines(read_file(folder_ / "runs/tiny/base/metrics.jsonl"));
  int curve = 0;
  for (std::string line; std::getline(lines, line);) curve += line.find("validation_accuracy_normalized") != line.npos;
  EXPECT_EQ(curve, 3);

  const Said again = regimen(
      "evaluate --model runs/tiny/base --data pets.jsonl --column prompt=goal --column choices=a,b --column "
      "answer=label --rows out.jsonl --json");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("read as questions: \"goal\" with the choices in \"a\", \"b\""));
  const auto told = parse_json(again.out);
  EXPECT_EQ(told["questions"], 3);
  for (const char* key : {"accuracy", "accuracy_error", "accuracy_normalized", "accuracy_normalized_error"})
    EXPECT_NEAR(told[key], of_stage[key], 1e-9) << key;
  EXPECT_NEAR(told["loss"], of_stage["choice_loss"], 1e-5);
  const std::string rows = read_file(folder_ / "out.jsonl");
  const auto first = parse_json(rows.substr(0, rows.find('\n')));
  EXPECT_EQ(first["goal"], "the cat");
  EXPECT_EQ(first["right"], 0);
  EXPECT_EQ(first["logprobs"].size(), 2);
  EXPECT_EQ(first["choice_tokens"][0], 15);  // a space and 14 characters

  const Said person = regimen(
      "evaluate --model runs/tiny/base --data pets.jsonl --column prompt=goal --column "
      "choices=a --column choices=b --column answer=label");
  EXPECT_THAT(person.out, HasSubstr("questions            3\naccuracy             "));
  EXPECT_THAT(person.out, HasSubstr(", standard error 0."));
}

TEST_F(ChoicesTest, AStrategyWithAnAccuracyOfItsOwnKeepsIt) {
  write("pairs.jsonl", "{\"prompt\": \"the cat\", \"chosen\": \" sat\", \"rejected\": \" ran\"}\n");
  write("p.yaml", stage("    data: {train: {text: text.txt}}\n") +
                      "  - name: pairs\n    strategy: dpo\n    model: {from: base}\n    reference: {from: base}\n"
                      "    data: {train: {jsonl: pairs.jsonl}, validation: {jsonl: pairs.jsonl}, " +
                      pets + "}\n    steps: 1\n    batch: 1\n");
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto of_pairs = json("runs/tiny/pairs/stage.json")["result"];
  for (const char* key : {"accuracy", "accuracy_error", "accuracy_normalized", "accuracy_normalized_error"}) {
    EXPECT_FALSE(of_pairs.contains(key)) << key;
    EXPECT_TRUE(of_pairs.contains(std::string("choices_") + key)) << key;
  }
  EXPECT_TRUE(of_pairs.contains("validation_accuracy"));
}

TEST_F(ChoicesTest, WhatIsWrongIsSaidBeforeAnythingIsRun) {
  write("p.yaml", stage("    data: {train: {text: text.txt}, choices: {jsonl: pets.jsonl, columns: {prompt: goal, "
                        "choices: [a], right: label}}}\n"));
  const Said said = regimen("check p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("a question has at least two choices"));
  EXPECT_THAT(said.err, HasSubstr("column \"right\" is not read here"));
  write("p.yaml", stage(std::string("    data: {train: {text: text.txt}, ") + pets + "}\n"));
  const Said chat = regimen("check p.yaml --set 'stages.base.data.choices.columns.prompt={messages: goal}'");
  EXPECT_EQ(chat.status, 2);
  EXPECT_THAT(chat.err, HasSubstr("the model's tokenizer has no chat template: name one for the column \"prompt\""));
  write("pets.jsonl", "{\"goal\": \"\", \"a\": \"sat\", \"b\": \"ran\", \"label\": 0}\n");
  const Said empty = regimen("check p.yaml");
  EXPECT_EQ(empty.status, 2);
  EXPECT_THAT(empty.err, HasSubstr("pets.jsonl:1: the prompt is empty, and an answer has to follow something"));
}

TEST_F(ChoicesTest, SemicolonsInATableAreNoticed) {
  write("p.yaml", stage(std::string("    data: {train: {text: text.txt}, ") + pets + "}\n"));
  write("pets.csv", "goal;a;b;label\nthe cat;sat;ran;1\nthe dog;sat;ran;B\n");
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const std::string command =
      "evaluate --model runs/tiny/base --data pets.csv --column prompt=goal --column choices=a,b --column answer=label";
  const Said lost = regimen(command);
  EXPECT_EQ(lost.status, 2);
  EXPECT_THAT(lost.err, HasSubstr("the first line has no comma, but 3 semicolons"));
  const Said found = regimen(command + " --separator ';'");
  EXPECT_EQ(found.status, 0) << found.err;
  const std::string of_stage =
      "'stages.base.data.choices={csv: pets.csv, separator: \";\", columns: {prompt: goal, "
      "choices: [a, b], answer: label}}'";
  EXPECT_EQ(regimen("check p.yaml --set " + of_stage).status, 0);
}

}  // namespace
}  // namespace rgm
