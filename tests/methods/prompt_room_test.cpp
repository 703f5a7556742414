// prompt_room_test.cpp - prompts of rollouts leave room for an answer, in the context of whoever reads it.
#include "methods/method.hpp"

namespace rgm::test {
namespace {

// Of 24 tokens.
const std::string letters = "abcdefghijklmnopqrstuvwx";

using PromptsOfARollout = TensorTest;

TEST_F(PromptsOfARollout, LoseTheirFirstTokensAndGetAnAnswer) {
  Method sample("sample", "{answers: 2, max_tokens: 6}");
  const Batch& batch = sample.rollout({letters, "the"}, nothing);
  EXPECT_EQ(text_of(batch, "prompt", 0), "ghijklmnopqrstuvwx") << "18 of the context's 24 tokens";
  EXPECT_EQ(text_of(batch, "prompt", 2), "the");
  for (const auto& answer : places_of(batch.columns.at("completion"), batch.examples)) {
    EXPECT_GE(answer.size(), 1U);
    EXPECT_LE(answer.size(), 6U);
  }
}

TEST_F(PromptsOfARollout, KeepHalfOfTheContextWhateverAnAnswerAsksFor) {
  Method sample("sample", "{answers: 1, max_tokens: 64}");
  EXPECT_EQ(text_of(sample.rollout({letters}, nothing), "prompt", 0), "mnopqrstuvwx");
}

// A judge of 10 tokens reads what a model of 24 writes.
TEST_F(PromptsOfARollout, LeaveItWhereTheJudgeHasLessOfIt) {
  Method sample("sample", "{answers: 3, max_tokens: 20}");
  sample.train.context = 10;
  const Batch& batch = sample.rollout({"the", "abcdefgh"}, nothing);
  EXPECT_EQ(text_of(batch, "prompt", 0), "the");
  EXPECT_EQ(text_of(batch, "prompt", 3), "defgh");
  const BatchColumn& completion = batch.columns.at("completion");
  EXPECT_LE(completion.length, 10);
  for (const auto& answer : places_of(completion, batch.examples)) EXPECT_LE(answer.size(), 7U);
}

}  // namespace
}  // namespace rgm::test
