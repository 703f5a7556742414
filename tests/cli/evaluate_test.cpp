// evaluate_test.cpp - `regimen evaluate`: what it says is what training measured.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr, testing::StartsWith;

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
  EXPECT_THAT(named.err, HasSubstr("two.jsonl:1: there is no \"body\"; there are text"));
}

TEST_F(EvaluateTest, AClassifierIsHeldAgainstItsLabels) {
  const auto result = json("runs/tiny/tuned/stage.json")["result"];
  const auto again = evaluated("--model runs/tiny/tuned --data held.tsv --column text=0 --column label=1");
  EXPECT_EQ(again["examples"], 9);
  EXPECT_NEAR(again["accuracy"], 8.0 / 9, 1e-9);  // one is mislabelled
  EXPECT_NEAR(again["accuracy"], result["accuracy"], 1e-6);
  EXPECT_NEAR(again["loss"], result["validation_loss"], 1e-5);
  // Of 4 cats all are found; of 5 dogs, 4, as one is a cat that is called a dog.
  EXPECT_EQ(again["confusion_matrix"], parse_json("[[4, 0], [1, 4]]"));
  EXPECT_EQ(again["labels"]["cat"]["precision"], 4.0 / 5);
  EXPECT_EQ(again["labels"]["cat"]["recall"], 1.0);
  EXPECT_EQ(again["labels"]["dog"]["precision"], 1.0);
  EXPECT_EQ(again["labels"]["dog"]["recall"], 4.0 / 5);
  EXPECT_EQ(again["labels"]["dog"]["support"], 5);
  EXPECT_NEAR(again["labels"]["dog"]["f1"], 8.0 / 9, 1e-9);
  EXPECT_NEAR(again["macro_f1"], 8.0 / 9, 1e-9);
  const Said shown = regimen("evaluate --model runs/tiny/tuned --data held.tsv --column text=0 --column label=1");
  EXPECT_THAT(shown.out, HasSubstr("accuracy    0.8889, standard error 0.1048\nmacro F1    0.8889\n"));
  EXPECT_THAT(shown.out, HasSubstr("label  precision  recall  F1      support\n"
                                   "cat    0.8000     1.0000  0.8889  4\n"
                                   "dog    1.0000     0.8000  0.8889  5\n"));
  EXPECT_THAT(shown.out, HasSubstr("\nlabel  cat  dog\ncat    4    0\ndog    1    4\n"));
}

TEST_F(EvaluateTest, ARowGetsWhatAClassifierSays) {
  write("rows.jsonl",
        "{\"id\": 7, \"text\": \"the cat sat\", \"label\": \"cat\", \"tags\": [\"a\", 1]}\n"
        "{\"id\": 8, \"text\": \"the dog ran\", \"label\": \"cat\", \"tags\": []}\n");
  const auto result = evaluated("--model runs/tiny/tuned --data rows.jsonl --rows out.jsonl");
  EXPECT_EQ(result["confusion_matrix"], parse_json("[[1, 1], [0, 0]]"));
  EXPECT_THAT(read_file(folder_ / "out.jsonl"),
              StartsWith("{\"id\":7,\"text\":\"the cat sat\",\"label\":\"cat\",\"tags\":[\"a\",1],"
                         "\"predicted\":\"cat\",\"probability\":"));
  const auto rows = json_lines("out.jsonl");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1]["predicted"], "dog");
  const auto p = [&](size_t row, const char* label) { return rows[row]["probabilities"][label].get<double>(); };
  for (size_t i = 0; i < 2; ++i) EXPECT_NEAR(p(i, "cat") + p(i, "dog"), 1, 1e-9);
  EXPECT_EQ(rows[1]["probability"], p(1, "dog"));
  EXPECT_NEAR(result["loss"], -(std::log(p(0, "cat")) + std::log(p(1, "cat"))) / 2, 1e-6);
  // A prompt stands in front of the text, as in training.
  write("parts.jsonl", "{\"q\": \"the cat \", \"a\": \"sat\"}\n");
  evaluated("--model runs/tiny/tuned --data parts.jsonl --column prompt=q --column text=a --rows parts.out");
  EXPECT_NEAR(json_lines("parts.out")[0]["probabilities"]["cat"], p(0, "cat"), 1e-6);
  // Lists are as many examples, and each is a row.
  write("lists.jsonl",
        "{\"text\": [\"the cat sat\", \"the dog ran\"], \"label\": [\"cat\", \"dog\"], \"tags\": [1]}\n");
  EXPECT_EQ(evaluated("--model runs/tiny/tuned --data lists.jsonl --rows lists.out")["accuracy"], 1.0);
  const auto lists = json_lines("lists.out");
  ASSERT_EQ(lists.size(), 2U);
  EXPECT_EQ(lists[1]["text"], "the dog ran");
  EXPECT_EQ(lists[1]["label"], "dog");
  EXPECT_EQ(lists[1]["tags"], parse_json("[1]"));
  EXPECT_EQ(lists[1]["predicted"], "dog");
}

TEST_F(EvaluateTest, AClassifierReadsConversationsByATemplate) {
  write("plain.jinja", "{% for m in messages %}{{ m.content }}{% endfor %}");
  write("talk.jsonl", R"({"messages": [{"role": "user", "content": "the cat sat"}]})");
  write("row.jsonl", R"({"text": "the cat sat"})");
  evaluated("--model runs/tiny/tuned --data talk.jsonl --template plain.jinja --rows talk.out");
  evaluated("--model runs/tiny/tuned --data row.jsonl --rows row.out");
  EXPECT_EQ(json_lines("talk.out")[0]["probabilities"], json_lines("row.out")[0]["probabilities"]);
  EXPECT_THAT(regimen("evaluate --model runs/tiny/tuned --data talk.jsonl").err, HasSubstr("has no chat template"));
}

TEST_F(EvaluateTest, WithoutLabelsExamplesAreLabelled) {
  const auto three = parse_json(R"({"examples": 3, "predicted": {"cat": 1, "dog": 2}})");
  write("bare.jsonl", "{\"text\": \"the cat sat\"}\n{\"text\": \"the dog ran\"}\n{\"text\": \"the dog ran\"}\n");
  write("empty.csv", "text,label\nthe cat sat,\nthe dog ran,\nthe dog ran,\n");
  EXPECT_EQ(evaluated("--model runs/tiny/tuned --data bare.jsonl"), three);
  EXPECT_EQ(evaluated("--model runs/tiny/tuned --data empty.csv"), three);
  const Said shown = regimen("evaluate --model runs/tiny/tuned --data bare.jsonl");
  EXPECT_EQ(shown.out, "examples    3\n\nlabel  predicted\ncat    1\ndog    2\n");
  EXPECT_THAT(shown.err,
              HasSubstr("bare.jsonl: no row has a \"label\", so nothing is compared; if another column holds it, add "
                        "--column label=NAME"));
  EXPECT_EQ(evaluated("--model runs/tiny/tuned --data held.tsv --column text=0 --rows out.jsonl")["examples"], 9);
  const std::string rows = read_file(folder_ / "out.jsonl");
  EXPECT_EQ(std::ranges::count(rows, '\n'), 9);
  EXPECT_THAT(rows, StartsWith("{\"0\":\"the cat sat\",\"1\":\"cat\",\"predicted\":\"cat\","));
  // Some that lack one are a mistake, and so is a name that no row has.
  const std::string with = "{\"text\": \"the cat sat\", \"label\": \"cat\"}\n", without = "{\"text\": \"the dog\"}\n";
  for (const auto& [file, said] :
       {std::pair(with + without, "some.jsonl:2"), std::pair(without + with, "some.jsonl:1")}) {
    write("some.jsonl", file);
    const Said refused = regimen("evaluate --model runs/tiny/tuned --data some.jsonl --rows none.jsonl");
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.err, HasSubstr(said + std::string(": has no \"label\", but 1 of the 2 rows have one")));
    EXPECT_FALSE(fs::exists(folder_ / "none.jsonl"));
  }
  EXPECT_THAT(regimen("evaluate --model runs/tiny/tuned --data bare.jsonl --column label=gold").err,
              HasSubstr("bare.jsonl:1: there is no \"gold\" for the column \"label\"; there are text"));
}

TEST_F(EvaluateTest, ARowGetsTheLossOfItsTokens) {
  write("two.jsonl", "{\"text\": \"the cat\", \"loss\": 3}\n{\"text\": \"the dog ran\"}\n");
  const Said said = regimen("evaluate --json --model runs/tiny/base --data two.jsonl --rows out.jsonl");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("two.jsonl: has a column \"loss\" of its own, which stays as it is; what the model "
                                  "says is called \"model.loss\", \"model.tokens\""));
  const auto rows = json_lines("out.jsonl");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["loss"], 3);
  EXPECT_EQ(rows[0]["model.tokens"], 6);
  EXPECT_EQ(rows[1]["model.tokens"], 10);
  const double sum = rows[0]["model.loss"].get<double>() + rows[1]["model.loss"].get<double>();
  EXPECT_NEAR(parse_json(said.out)["loss"], sum / 16, 1e-9);
  // A text is one row, which has no columns of its own.
  const auto whole = evaluated("--model runs/tiny/base --data text.txt --rows out.jsonl");
  const auto text = json_lines("out.jsonl");
  ASSERT_EQ(text.size(), 1U);
  EXPECT_EQ(text[0]["tokens"], whole["tokens"]);
  EXPECT_NEAR(text[0]["loss"], double(whole["loss"]) * double(whole["tokens"]), 1e-6);
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
              HasSubstr("--column is \"text=body\", but text.txt is plain text, which has no columns"));
  EXPECT_THAT(refusal("--model runs/tiny/base"), HasSubstr("which file?"));
  EXPECT_THAT(refusal("--data text.txt"), HasSubstr("which model?"));
  EXPECT_THAT(refusal("--model runs/tiny/tuned --data text.txt"), HasSubstr("label"));
  EXPECT_THAT(refusal("--model runs/tiny/base --data text.txt --rows text.txt"), HasSubstr("is the data itself"));
  EXPECT_THAT(refusal("--model runs/tiny/base --data text.txt --rows absent/out.jsonl"),
              HasSubstr("there is no folder absent; make it, or correct --rows absent/out.jsonl"));
  EXPECT_THAT(refusal("--model runs/tiny/base --data text.txt --rows runs"),
              HasSubstr("--rows runs is a folder; name a file in it, as in --rows runs/rows.jsonl"));
}

class EvaluateValueTest : public TinyRun {};

TEST_F(EvaluateValueTest, ANumberIsHeldAgainstItsValueOrStandsAlone) {
  write("values.tsv", "the cat\t1\nthe dog\t3\n");
  write("p.yaml", tiny(2,
                       "  - name: valued\n    strategy: finetune\n    batch: 2\n    steps: 2\n"
                       "    model: {from: base, head: scalar}\n"
                       "    data: {train: {tsv: values.tsv, columns: {text: 0, value: 1}}}\n"));
  const Said ran = regimen("run p.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const std::string command = "evaluate --json --model runs/tiny/valued --data values.tsv --column text=0 ";
  const Said scored = regimen(command + "--column value=1 --rows out.jsonl");
  ASSERT_EQ(scored.status, 0) << scored.err;
  const auto rows = json_lines("out.jsonl");
  ASSERT_EQ(rows.size(), 2U);
  const double cat = rows[0]["predicted"], dog = rows[1]["predicted"];
  EXPECT_NEAR(parse_json(scored.out)["loss"], (std::pow(cat - 1, 2) + std::pow(dog - 3, 2)) / 2, 1e-5);
  EXPECT_EQ(rows[1]["1"], "3") << "as the table has it";
  const Said alone = regimen(command);
  ASSERT_EQ(alone.status, 0) << alone.err;
  EXPECT_EQ(parse_json(alone.out)["examples"], 2);
  EXPECT_NEAR(parse_json(alone.out)["predicted"]["mean"], (cat + dog) / 2, 1e-6);
}

}  // namespace
}  // namespace rgm
