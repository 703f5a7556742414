// next_step_test.cpp - what people name or ask by mistake, and that the message says what they may have meant.
#include <gmock/gmock.h>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::Not;

class NextStep : public TinyRun {
 protected:
  NextStep() {
    write("prompts.jsonl", "{\"prompt\": \"the cat\"}\n{\"prompt\": \"the dog and the cat sat\"}\n");
    write("p.yaml", tiny(1,
                         "  - name: answers\n    strategy: {sample: {answers: 2, max_tokens: 2}}\n"
                         "    model: {from: base}\n    data: {prompts: {jsonl: prompts.jsonl}}\n"));
    const Said said = regimen("run p.yaml");
    EXPECT_EQ(said.status, 0) << said.err;
  }
  // Exit status 2, and why.
  std::string refused(const std::string& arguments) const {
    const Said said = regimen(arguments);
    EXPECT_EQ(said.status, 2) << said.err;
    return said.err;
  }
};

TEST_F(NextStep, AFolderWithoutAModelSaysWhereOneIs) {
  EXPECT_THAT(refused("generate --model runs/tiny --prompt a --backend reference"),
              HasSubstr("runs/tiny: has no model, but folders inside it have one: name one of runs/tiny/base\n"));
  EXPECT_THAT(refused("generate --model runs/tiny/answers --prompt a --backend reference"),
              HasSubstr("runs/tiny/answers: has no model: the stage that left this folder trained nothing, and wrote "
                        "runs/tiny/answers/rows.jsonl"));
  EXPECT_THAT(
      refused("rank runs/tiny/answers --out ranks.jsonl"),
      HasSubstr("rank: runs/tiny/answers is a folder: name the rows in it, as in runs/tiny/answers/rows.jsonl"));
}

// The context is 16 characters: 7 are within it, 23 are not.
TEST_F(NextStep, WhatIsNotReadOfAPromptIsTold) {
  const std::string say = "generate --model runs/tiny/base --backend reference --max-tokens 1 ";
  EXPECT_THAT(regimen(say + "--prompt 'the cat'").err, Not(HasSubstr("warning")));
  EXPECT_THAT(regimen(say + "--prompt 'the dog and the cat sat'").err,
              HasSubstr("the prompt has 23 tokens, the model's context 16: the prompt's beginning is not read"));
  EXPECT_THAT(regimen(say + "--prompts prompts.jsonl").err,
              HasSubstr("1 of 2 prompts have more tokens than the model's context of 16"));
  EXPECT_THAT(regimen("evaluate --model runs/tiny/base --backend reference --data text.txt").err,
              HasSubstr("text.txt is longer than the context of 16 tokens and was read in windows"));
}

}  // namespace
}  // namespace rgm
