// rollouts_test.cpp - what is sampled and drawn while a policy trains, and what is told where that cannot work.
#include <gmock/gmock.h>

#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST_F(RlhfTest, APromptWithoutRoomForAnAnswerIsTold) {
  write("prompts.jsonl", R"({"prompt": "the cat sat on the mat and the dog ran"})"
                         "\n");
  write("p.yaml", with(ppo("", "    reward: {rule: {regex: a}}\n    steps: 1\n")));
  const Said said = regimen("run p.yaml");
  EXPECT_THAT(said.err,
              HasSubstr("1 of 1 prompts have more than 11 tokens and lose their first ones, because 5 of the 16"));
}

// As the tokenizers of Llama and Mistral, which drop a space in front of what they decode.
TEST_F(RlhfTest, AnAnswerKeepsTheSpaceBeforeIt) {
  const fs::path models = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/sentence_piece";
  fs::create_directories(folder_ / "pieces");
  write("pieces/tokenizer.model", read_file(models / "llama.model"));
  write("prompts.jsonl", "{\"prompt\": \"the cat\"}\n");
  std::string text = tiny(40,
                          "    optimizer: {adamw: {learning_rate: 1e-2}}\n    sample: {prompt: the cat, tokens: 4}\n"
                          "  - name: answers\n    strategy: {sample: {answers: 8, max_tokens: 4}}\n"
                          "    model: {from: base}\n    data: {prompts: {jsonl: prompts.jsonl}}\n");
  text.replace(text.find("tokenizer: characters"), 21, "tokenizer: {from: pieces}");
  write("p.yaml", text);
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  ASSERT_EQ(rows("answers").size(), 8U);
  for (const auto& row : rows("answers")) {
    EXPECT_THAT(std::string(row["text"]), testing::StartsWith(" ")) << "it has learned words after a space";
    EXPECT_THAT(std::string(row["completion"]), testing::StartsWith("the cat" + std::string(row["text"])));
  }
  EXPECT_THAT(std::string(json("runs/tiny/base/stage.json")["samples"][0]["text"]), testing::StartsWith(" "));
}

// 12 prompts, 6 a rollout, 2 rounds of 2 steps each: once through the prompts is 2 rollouts of 4 steps.
TEST_F(RlhfTest, EpochsAreRoundsThroughThePrompts) {
  write("p.yaml", with(ppo(", epochs: 2, minibatches: 2", "    reward: {rule: {regex: a}}\n    epochs: 1\n")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result("ppo")["steps"], 8);
}

// Scores 1 and 0 and a tie within 2 of all of them: no pair.
TEST_F(RlhfTest, WhereAllTieThereIsNoPair) {
  write("p.yaml",
        with("  - name: answers\n    strategy: {sample: {answers: 6, max_tokens: 5}}\n    model: {from: base}\n"
             "    data: {prompts: {jsonl: prompts.jsonl}}\n"
             "  - name: pairs\n    strategy: {rank: {rows: pairs, tie: 2}}\n    model: {from: base}\n"
             "    reward: {rule: {regex: e}}\n"
             "    data: {samples: {from: answers, columns: {completion: {prompt: prompt, answer: text}}}}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_TRUE(rows("pairs").empty());
}

// Two of twelve pairs are drawn: the reference is asked about no other, and a run that goes on finds them.
TEST_F(RlhfTest, OnlyWhatTheStepsDrawIsAnnotated) {
  std::string pairs;
  for (int n = 0; n < 12; ++n)
    pairs += R"({"prompt": "the ", "chosen": "cat )" + std::to_string(n) + R"(", "rejected": "dog"})" + "\n";
  write("pairs.jsonl", pairs);
  write("p.yaml", with("  - name: dpo\n    strategy: dpo\n    model: {from: base}\n    steps: 1\n    batch: 2\n"
                       "    data: {train: {jsonl: pairs.jsonl}}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("dpo: annotating 2 examples"));
  EXPECT_THAT(regimen("run p.yaml --set stages.dpo.log.every=1").err, testing::Not(HasSubstr("annotating")));
  // Of 20 draws from 14 pairs, 18 are of these two.
  write("two.jsonl", pairs.substr(0, pairs.find('\n', pairs.find("cat 1")) + 1));
  const Said mixed = regimen(
      "run p.yaml --set stages.dpo.steps=10 --set 'stages.dpo.data.train=[{jsonl: pairs.jsonl, share: 0.1}, {jsonl: "
      "two.jsonl, share: 0.9}]'");
  ASSERT_EQ(mixed.status, 0) << mixed.err;
  EXPECT_THAT(mixed.err, HasSubstr("dpo: annotating 4 examples"));
}

// Text beside the prompts takes part with the weight that ptx gives it, and is refused where that is none.
TEST_F(RlhfTest, PlainTextWithoutAWeightIsRefused) {
  const std::string rule = "    reward: {rule: {regex: a}}\n    steps: 1\n    log: {every: 1}\n";
  const auto beside_text = [&](const std::string& options) {
    write("p.yaml", beside_prompts(with(ppo(options, rule)), "pretrain: {text: text.txt}"));
  };
  beside_text("");
  const Said said = regimen("check p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("strategy \"ppo\" does not read \"pretrain\" with the options given here"));
  beside_text(", ptx: 0.5");
  const Said ran = regimen("run p.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_GT(double(json("runs/tiny/ppo/metrics.jsonl")["ptx_loss"]), 0);
  write("p.yaml", with(ppo(", ptx: 0.5", rule)));
  EXPECT_THAT(regimen("check p.yaml").err,
              HasSubstr("strategy \"ppo\" reads \"pretrain\" with the options given here, but there is none"));
}

}  // namespace
}  // namespace rgm
