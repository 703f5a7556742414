// prompting_test.cpp - prompting as a user runs it: scores that `evaluate` confirms, examples with right and wrong
// labels, weights that nobody touched, and what is told where the template or the data are wrong.
#include <gmock/gmock.h>

#include <cmath>

#include "../../plugins/strategies/prompting/verdict.hpp"
#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST(Verdict, EightOfTenIsBetweenHalfAndNearlyAll) {
  const Interval interval = wilson(8, 10);
  EXPECT_NEAR(interval.low, 0.4902, 1e-4);
  EXPECT_NEAR(interval.high, 0.9433, 1e-4);
  EXPECT_NEAR(wilson(0, 5).low, 0, 1e-12);
}

TEST(Verdict, ChanceIsTheMostFrequentLabel) {
  Verdict verdict;
  for (int i = 0; i < 6; ++i) verdict.add("a", "a");
  for (int i = 0; i < 4; ++i) verdict.add("b", "a");
  EXPECT_DOUBLE_EQ(verdict.accuracy(), 0.6);
  EXPECT_DOUBLE_EQ(verdict.chance(), 0.6);
  EXPECT_TRUE(verdict.is_at_chance());
  EXPECT_EQ(verdict.confusion().at("b").at("a"), 4);
}

// None of 60 right, where one of two labels has 40 of them: between 0 and 0.06, chance is 0.67.
TEST(Verdict, WorseThanChanceIsNotAtChance) {
  Verdict verdict;
  for (int i = 0; i < 40; ++i) verdict.add("a", "b");
  for (int i = 0; i < 20; ++i) verdict.add("b", "a");
  EXPECT_TRUE(verdict.is_below_chance());
  EXPECT_FALSE(verdict.is_at_chance());
}

class PromptingTest : public TinyRun {
 protected:
  PromptingTest() {
    write("asked.tsv", "cat\tpet\ndog\tpet\nmat\tthing\n");
    write("shown.tsv", "ran\tthing\nsat\tpet\nthe\tthing\n");
  }
  // A stage that asks the tiny base with these options; `data` beside its prompts.
  Said ask(const std::string& options, const std::string& data = "",
           const std::string& columns = "{word: 0, label: 1}") {
    write("p.yaml",
          tiny(30) +
              "  - name: asked\n    model: {from: base}\n    batch: 2\n    strategy: {prompting: {template: \"a "
              "{word} is {label}\", labels: [pet, thing], words: [me, on]" +
              options + "}}\n    data: {prompts: {tsv: asked.tsv, columns: " + columns + "}" + data + "}\n");
    return regimen("run p.yaml --out out");
  }
  std::vector<nlohmann::json> rows() const { return json_lines("out/asked/rows.jsonl"); }
  nlohmann::json result() const { return json("out/asked/stage.json")["result"]; }
  // log p of the last `n` tokens of the text, which are characters.
  double log_probability(const std::string& text, int n) const {
    write("text.jsonl", nlohmann::json{{"text", text}}.dump() + "\n");
    const Said said = regimen("evaluate --model out/base --data text.jsonl --per-token --json --backend reference");
    EXPECT_EQ(said.status, 0) << said.err;
    std::istringstream lines(said.out);
    double sum = 0;
    for (std::string line; std::getline(lines, line);) {
      const auto token = parse_json(line);
      if (token["position"].get<int>() >= static_cast<int>(text.size()) - n) sum += token["logprob"].get<double>();
    }
    return sum;
  }
};

TEST_F(PromptingTest, ScoresAreTheLogProbabilitiesOfTheWords) {
  const Said said = ask("");
  ASSERT_EQ(said.status, 0) << said.err;
  ASSERT_EQ(rows().size(), 3U);
  for (const auto& row : rows()) {
    const std::string prompt = row["prompt"];
    EXPECT_NEAR(row["score pet"], log_probability(prompt + " me", 3), 1e-4);
    EXPECT_NEAR(row["score thing"], log_probability(prompt + " on", 3), 1e-4);
    EXPECT_EQ(row["answer"], row["score pet"] > row["score thing"] ? "pet" : "thing");
    EXPECT_EQ(row["right"], row["answer"] == row["label"] ? 1 : 0);
  }
  EXPECT_EQ(rows()[0]["prompt"], "a cat is");
  double right = 0;
  for (const auto& row : rows()) right += row["right"].get<int>();
  EXPECT_NEAR(result()["accuracy"], right / 3, 1e-6);
  EXPECT_NEAR(result()["chance"], 2.0 / 3, 1e-6);
}

TEST_F(PromptingTest, MeanDividesByTheNumberOfTokens) {
  ASSERT_EQ(ask("").status, 0);
  const auto raw = rows();
  ASSERT_EQ(ask(", score: mean").status, 0);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(rows()[i]["score pet"], raw[i]["score pet"].get<double>() / 3, 1e-5);
}

TEST_F(PromptingTest, CalibratedTakesOffWhatIsSaidToNothing) {
  ASSERT_EQ(ask("").status, 0);
  const auto raw = rows();
  const double to_nothing = log_probability("a  is on", 3);
  ASSERT_EQ(ask(", score: calibrated").status, 0);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_NEAR(rows()[i]["score thing"], raw[i]["score thing"].get<double>() - to_nothing, 1e-4);
}

TEST_F(PromptingTest, AnAnswerThatIsGeneratedIsTheLabelItBeginsWith) {
  const Said said = ask(", score: generate, max_tokens: 3");
  ASSERT_EQ(said.status, 0) << said.err;
  for (const auto& row : rows()) {
    const std::string text = row["text"];
    const std::string answer = text.starts_with(" me") || text.starts_with("me")   ? "pet"
                               : text.starts_with(" on") || text.starts_with("on") ? "thing"
                                                                                   : "no label";
    EXPECT_EQ(row["answer"], answer) << text;
  }
}

// The context of 16 characters has no room for shots, so the base has a longer one here.
TEST_F(PromptingTest, ShotsAreDrawnWithRightLabelsAndWithWrongOnes) {
  const std::string longer = " --set stages.base.model.context=96";
  const auto prompts = [&](const std::string& options) {
    ask(options, ", examples: {tsv: shown.tsv, columns: {word: 0, label: 1}}");
    const Said said = regimen("run p.yaml --out out" + longer);
    EXPECT_EQ(said.status, 0) << said.err;
    std::vector<std::string> out;
    for (const auto& row : rows()) out.push_back(row["prompt"]);
    return out;
  };
  const auto right = prompts(", shots: 3, separator: \" 9 \""),
             wrong = prompts(", shots: 3, shot_labels: wrong, separator: \" 9 \"");
  for (const char* shot : {"a ran is on 9 ", "a sat is me 9 ", "a the is on 9 "})
    EXPECT_THAT(right[0], HasSubstr(shot));
  for (const char* shot : {"a ran is me 9 ", "a sat is on 9 ", "a the is me 9 "})
    EXPECT_THAT(wrong[0], HasSubstr(shot));
  EXPECT_TRUE(right[0].ends_with(" 9 a cat is"));
  EXPECT_TRUE(right[1].ends_with(" 9 a dog is"));
  EXPECT_EQ(right[0].substr(0, 42), right[1].substr(0, 42)) << "every row is asked behind the same examples";
  const auto shown = prompts(", shots: 1, ask: shown, separator: \" 9 \"");
  EXPECT_TRUE(shown[0].ends_with(" 9 a cat is on 9 a cat is")) << shown[0] << ": a cat is a pet, and was shown as none";
  const auto fixed = prompts(", examples: [\"one 2\", \"three\"], separator: \"8\"");
  EXPECT_EQ(fixed[2], "one 28three8a mat is");
}

TEST_F(PromptingTest, ShotsThatDoNotFitAreLeftOutFromTheFront) {
  const Said said = ask(", shots: 2, separator: \"9\"", ", examples: {tsv: shown.tsv, columns: {word: 0, label: 1}}");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(rows()[0]["prompt"], "a cat is") << "8 characters, 3 of an answer, and 12 of a shot are more than 16";
  EXPECT_EQ(result()["shots_left_out"], 2);
}

// "a " and the word, " is": of 16 characters 3 are the answer's, so the question's last 13 are read.
TEST_F(PromptingTest, AQuestionThatDoesNotFitLosesItsBeginning) {
  write("asked.tsv", "the cat and the dog\tpet\ncat\tthing\n");
  const Said said = ask("");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result()["questions_cut"], 0.5);
  EXPECT_NEAR(rows()[0]["score pet"], log_probability("nd the dog is me", 3), 1e-4);
}

// An answer of 5 characters leaves room for the last 11 of the question.
TEST_F(PromptingTest, SoMuchIsCutThatAnAnswerHasRoom) {
  write("asked.tsv", "the cat and the dog\tpet\ncat\tthing\n");
  const Said said = ask(", score: generate, max_tokens: 5");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(rows()[0]["prompt"], " the dog is");
  EXPECT_EQ(rows()[0]["text"].get<std::string>().size(), 5U);
}

TEST_F(PromptingTest, AnAnswerNeedsSomethingInFrontOfIt) {
  const auto told = [&](const std::string& more) {
    ask(more);
    return regimen("run p.yaml --out out --set 'stages.asked.strategy.prompting.template=\"{word} {label}\"'").err;
  };
  EXPECT_THAT(told(", score: calibrated"), HasSubstr("nothing of the template is left then: add words to it"));
  write("asked.tsv", "cat\tpet\n\tthing\n");
  EXPECT_THAT(told(", score: mean"), HasSubstr("a prompt is empty, and an answer has to follow something"));
}

TEST_F(PromptingTest, NothingIsTrained) {
  const Said said = ask("");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result()["trained_parameters"], 0);
  EXPECT_EQ(result()["base_unchanged"], true);
  EXPECT_EQ(result()["weights_sha256_before"], result()["weights_sha256_after"]);
  EXPECT_EQ(result()["weights_sha256_before"].get<std::string>().size(), 64U);
  EXPECT_EQ(result()["at_chance"], false) << "of none in three, at most 0.56; chance is two in three";
  EXPECT_THAT(said.err, HasSubstr("below chance"));
}

TEST_F(PromptingTest, WhatIsWrongIsToldWithWhatToDo) {
  const auto told = [&](const std::string& options, const std::string& message, const std::string& data = "") {
    const Said said = ask(options, data);
    EXPECT_EQ(said.status, 2) << options;
    EXPECT_THAT(said.err, HasSubstr(message)) << options;
  };
  const auto with_template = [&](const std::string& text, const std::string& message) {
    ask("");
    const Said said = regimen("run p.yaml --out out --set 'stages.asked.strategy.prompting.template=\"" + text + "\"'");
    EXPECT_EQ(said.status, 2) << text;
    EXPECT_THAT(said.err, HasSubstr(message)) << text;
  };
  with_template("{word} is", "must end with one {label}");
  with_template("{label} {word}", "must end with one {label}");
  with_template("{word} is {label", "a { without a }");
  with_template("{wrd} is {label}", "{wrd}, but the data has no such column");
  told(", shots: 2", "strategy \"prompting\" reads \"examples\" with the options given here, but there is none");
  told(", shots: 9", "9 examples are to be drawn from `examples`, which has 3",
       ", examples: {tsv: shown.tsv, columns: {word: 0, label: 1}}");
  told(", shots: 1, examples: [x]", "leave one of them out");
  ask("");
  EXPECT_THAT(regimen("run p.yaml --out out --set 'stages.asked.strategy.prompting.words=[me, me]'").err,
              HasSubstr("two labels are \"me\""));
  EXPECT_THAT(regimen("run p.yaml --out out --set 'stages.asked.strategy.prompting.labels=[pet, toy]'").err,
              HasSubstr("the label \"thing\" is not among labels"));
  EXPECT_THAT(ask("", "", "{word: 0}").err, HasSubstr("no column label"));
}

}  // namespace
}  // namespace rgm
