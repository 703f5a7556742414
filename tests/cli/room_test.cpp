// room_test.cpp - models of one stage that have room for texts of different lengths, prompts that leave none for an
// answer, and models that write no text.
#include <gmock/gmock.h>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::Not;

class RoomTest : public TinyRun {
 protected:
  // Texts of 7 tokens and an end: two of them share a row of 16, and none one of 10.
  RoomTest() {
    write("rated.tsv", "the cat\t1\nthe dog\t0\nthe mat\t1\nthe ran\t0\n");
    write("texts.jsonl", "{\"text\": \"the cat\"}\n{\"text\": \"the dog\"}\n");
    write("prompts.jsonl", "{\"prompt\": \"the \"}\n{\"prompt\": \"a do\"}\n");
  }
  static std::string stage(const std::string& name, const std::string& strategy, const std::string& more) {
    return "  - name: " + name + "\n    strategy: " + strategy + "\n    batch: 4\n" + more;
  }
  static std::string classifier(const std::string& more = "") {
    return stage("second", "finetune",
                 "    model: {from: base, head: {classify: {labels: [cat, dog]}}}\n    steps: 2\n"
                 "    data: {train: {tsv: labels.tsv}}\n" +
                     more);
  }
  std::vector<nlohmann::json> rows(const std::string& name) const {
    return json_lines("runs/tiny/" + name + "/rows.jsonl");
  }
};

// Six vectors in front leave 10 of the context of 16.
TEST_F(RoomTest, AJudgeBehindVectorsReadsTheAnswersOfALongerContext) {
  write("p.yaml", tiny(3) +
                      stage("judge", "reward_modeling",
                            "    reward: {regression: {loss: logistic}}\n    model: {from: base}\n    steps: 2\n"
                            "    adapter: {soft_prompt: {length: 6}}\n"
                            "    data: {train: {tsv: rated.tsv, columns: {completion: 0, value: 1}}}\n") +
                      stage("play", "{grpo: {answers: 4, max_tokens: 3}}",
                            "    model: {from: base}\n    reward: {from: judge}\n    steps: 2\n"
                            "    data: {prompts: {jsonl: prompts.jsonl}}\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
}

TEST_F(RoomTest, ATeacherBehindKeysReadsTheTextsOfALongerContext) {
  write("p.yaml", tiny(3) +
                      stage("teacher", "finetune",
                            "    model: {from: base}\n    adapter: {prefix: {length: 6}}\n    steps: 2\n"
                            "    data: {train: {jsonl: texts.jsonl}}\n") +
                      stage("pupil", "distill",
                            "    model: {from: base}\n    teacher: {from: teacher}\n    steps: 2\n"
                            "    data: {train: {jsonl: texts.jsonl}}\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
}

// Text is cut into windows anyway: into shorter ones, then.
TEST_F(RoomTest, AReferenceOfAShorterContextReadsRowsThatFitAndNamesThoseThatDoNot) {
  const std::string small =
      "  - name: small\n    strategy: pretrain\n    model: {family: gpt2, layers: 1, heads: 2, channels: 32, context: "
      "8}\n    tokenizer: characters\n    data: {train: {text: text.txt}}\n    batch: 4\n    steps: 2\n";
  const std::string row = R"({"prompt": "the ", "chosen": "cat", "rejected": "do"})";
  write("pairs.jsonl", row + "\n" + row + "\n");
  write("p.yaml", tiny(3) + small +
                      stage("prefer", "dpo",
                            "    model: {from: base}\n    reference: {from: small}\n    steps: 2\n"
                            "    data: {train: {jsonl: pairs.jsonl}}\n") +
                      stage("pupil", "distill",
                            "    model: {from: base}\n    teacher: {from: small}\n    steps: 2\n"
                            "    data: {train: {text: text.txt}}\n"));
  const Said fits = regimen("run p.yaml");
  EXPECT_EQ(fits.status, 0) << fits.err;
  write("pairs.jsonl", row + "\n" + R"({"prompt": "the ", "chosen": "cat sat", "rejected": "dog"})" + "\n");
  for (const char* const command : {"check p.yaml", "run p.yaml"}) {
    const Said said = regimen(command);
    EXPECT_EQ(said.status, 2) << command;
    EXPECT_THAT(said.err, HasSubstr("stage \"prefer\": reference \"small\": 1 of 2 examples of \"chosen\" in "));
    EXPECT_THAT(said.err, HasSubstr("have more than the 8 tokens that it has room for: leave them out, cut them with "
                                    "length: 8, or use a model with a longer context"));
  }
  const Said cut = regimen("check p.yaml --set stages.prefer.length=8");
  EXPECT_EQ(cut.status, 0) << cut.err;
}

// 5 of 16 tokens are kept for an answer.
TEST_F(RoomTest, ALongPromptKeepsItsEnd) {
  write("prompts.jsonl", "{\"prompt\": \"the cat sat on the mat and the dog ran\"}\n{\"prompt\": \"the \"}\n");
  write("p.yaml", tiny(3) + stage("answers", "{sample: {answers: 2, max_tokens: 5}}",
                                  "    model: {from: base}\n    data: {prompts: {jsonl: prompts.jsonl}}\n"));
  const std::string told = "1 of 2 prompts have more than 11 tokens and lose their first ones, because 5 of the 16";
  const Said checked = regimen("check p.yaml"), ran = regimen("run p.yaml");
  EXPECT_EQ(checked.status, 0) << checked.err;
  EXPECT_THAT(checked.err, HasSubstr(told));
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr(told));
  const auto answers = rows("answers");
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers[0]["prompt"], "the dog ran");
  EXPECT_EQ(answers[2]["prompt"], "the ");
  for (const size_t i : {0U, 1U}) EXPECT_GT(answers[i]["completion.logprobs"].size(), 11U) << "an answer follows";
  EXPECT_THAT(regimen("check p.yaml --set 'stages.answers.strategy={sample: {answers: 2, max_tokens: 2}}'").err,
              HasSubstr("more than 14 tokens"))
      << "a shorter answer leaves more";
}

TEST_F(RoomTest, WhoClassifiesIsNotAskedForText) {
  write("labels.tsv", "text\tlabel\nthe cat\tcat\nthe dog\tdog\n");
  const std::string says = "this model classifies and cannot write text";
  write("p.yaml", tiny(3) + classifier("    sample: {prompt: the}\n"));
  EXPECT_THAT(regimen("check p.yaml").err, HasSubstr("second: sample: " + says));
  write("p.yaml", tiny(3) + classifier() +
                      stage("answers", "{sample: {answers: 2, max_tokens: 3}}",
                            "    model: {from: second}\n    data: {prompts: {jsonl: prompts.jsonl}}\n"));
  const Said checked = regimen("check p.yaml"), ran = regimen("run p.yaml");
  for (const Said& said : {checked, ran}) {
    EXPECT_EQ(said.status, 2);
    EXPECT_THAT(said.err, HasSubstr("stage \"answers\": strategy \"sample\" continues prompts: " + says));
  }
  write("p.yaml", tiny(3) + classifier());
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const Said written = regimen("generate --backend reference --model runs/tiny/second --prompt the");
  EXPECT_EQ(written.status, 2);
  EXPECT_EQ(written.out, "");
  EXPECT_THAT(written.err, HasSubstr("runs/tiny/second: " + says));
  EXPECT_THAT(regimen("generate --backend reference --model runs/tiny/base --prompt the --max-tokens 3").err,
              Not(HasSubstr(says)));
}

}  // namespace
}  // namespace rgm
