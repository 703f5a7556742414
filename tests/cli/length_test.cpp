// length_test.cpp - `length`: rows of a stage that are shorter than the model's context.
#include <gmock/gmock.h>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::Not;

// On a model with a context of 16.
class LengthTest : public TinyRun {
 protected:
  LengthTest() {
    write("short.txt", "the cat sat ");
    write("texts.jsonl", "{\"text\": \"the cat\"}\n{\"text\": \"the dog\"}\n");
    write("prompts.jsonl", "{\"prompt\": \"the \"}\n{\"prompt\": \"a do\"}\n");
  }
  static std::string tuned(const std::string& more, const std::string& strategy = "finetune") {
    return tiny(3) + "  - name: tuned\n    strategy: " + strategy + "\n    model: {from: base}\n    batch: 2\n" + more;
  }
  Said with_length(const std::string& command, int length) const {
    return regimen(command + " p.yaml --set stages.tuned.length=" + std::to_string(length));
  }
  nlohmann::json record() const { return json("runs/tiny/tuned/stage.json"); }
};

// 12 tokens: 11 of them are predicted, in windows of 5, 5 and 1.
TEST_F(LengthTest, AShortTextIsReadByAModelOfALongContext) {
  write("p.yaml", tuned("    data: {train: {text: short.txt}}\n    steps: 2\n"));
  const Said whole = regimen("check p.yaml"), twelve = with_length("check", 12);
  EXPECT_EQ(whole.status, 2);
  EXPECT_THAT(whole.err, HasSubstr("has 12 tokens, a context of 16 needs at least 17; use a longer text or shorter "
                                   "windows, as with length: TOKENS"));
  EXPECT_EQ(twelve.status, 2);
  EXPECT_THAT(twelve.err,
              HasSubstr("has 12 tokens, a length of 12 needs at least 13; use a longer text or a smaller length"));
  const Said five = with_length("run", 5);
  ASSERT_EQ(five.status, 0) << five.err;
  EXPECT_EQ(record()["data"]["train"]["units"], 3);
  EXPECT_EQ(record()["configuration"]["length"], 5);
  EXPECT_THAT(with_length("run", 5).err, HasSubstr("stage tuned: unchanged, not run again"));
  EXPECT_THAT(with_length("run", 4).err, Not(HasSubstr("stage tuned: unchanged")));
  EXPECT_EQ(record()["configuration"]["length"], 4);
}

// tuned() begins in line 13, and what is added to it in line 17.
TEST_F(LengthTest, MoreThanTheContextIsRefused) {
  write("p.yaml", tuned("    length: 17\n    data: {train: {text: text.txt}}\n    steps: 2\n"));
  const Said more = regimen("check p.yaml");
  EXPECT_EQ(more.status, 2);
  EXPECT_THAT(more.err,
              HasSubstr("p.yaml:17:5: stage \"tuned\": length is 17, and the model has a context of 16: write "
                        "at most 16, or leave it out"));
  const Said as_much = with_length("check", 16);
  EXPECT_EQ(as_much.status, 0) << as_much.err;
}

// Each has 7 characters.
TEST_F(LengthTest, LongerExamplesAreCutThere) {
  write("p.yaml", tuned("    length: 6\n    data: {train: {jsonl: texts.jsonl}}\n    steps: 1\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("2 of 2 examples of \"text\" are longer than the length of 6 tokens and are cut "
                                  "there; a larger length keeps more of them"));
  EXPECT_EQ(record()["data"]["train"]["tokens"], 14);
  EXPECT_EQ(record()["data"]["train"]["counted_tokens"], 12);
}

// 3 of 6 tokens are kept for an answer, so that the prompts keep the others.
TEST_F(LengthTest, APromptAndItsAnswerHaveRoomForNoMore) {
  write("p.yaml",
        tuned("    length: 6\n    data: {prompts: {jsonl: prompts.jsonl}}\n", "{sample: {answers: 2, max_tokens: 5}}"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("2 of 2 prompts have more than 3 tokens"));
  EXPECT_THAT(said.err, HasSubstr("lower max_tokens or set a larger length"));
  const auto rows = json_lines("runs/tiny/tuned/rows.jsonl");
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0]["prompt"], "he ");
  for (const auto& row : rows) {
    EXPECT_GT(row["completion.logprobs"].size(), 3U) << "an answer follows";
    EXPECT_LE(row["completion.logprobs"].size(), 6U);
  }
}

}  // namespace
}  // namespace rgm
