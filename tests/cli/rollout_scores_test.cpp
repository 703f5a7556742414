// rollout_scores_test.cpp - scores of rollouts: of several rewards, of held-out prompts, and those that name the best
// weights.
#include <gmock/gmock.h>

#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

// Beside the rewards of the steps stand those of held-out prompts, under a name of their own.
TEST_F(RlhfTest, HeldOutMetricsAreNoStepsOfTraining) {
  const std::string text = with(ppo(", missing_end_penalty: 5, epochs: 1",
                                    "    reward: {rule: {shortest: 0}}\n    steps: 2\n    log: {every: 1}\n"));
  write("p.yaml", beside_prompts(text, "validation: {split: 0.5}"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto lines = json_lines("runs/tiny/ppo/metrics.jsonl");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1]["reward"], 1) << "the penalty is in what is learned from, not in the score";
  EXPECT_EQ(lines[2]["validation_reward"], 1);
  EXPECT_FALSE(lines[2].contains("reward"));
  EXPECT_EQ(result("ppo")["reward"], 1);
  EXPECT_THAT(said.err, HasSubstr("  reward 1.0000  "));
  EXPECT_THAT(said.err, HasSubstr("stage ppo: done, reward 1.0000, "));
}

// Every answer is at least 0 long, and none has a thousand letters: 1 and 0, and 2 x 1 + 3 x 0 together. What has no
// weight is not counted.
TEST_F(RlhfTest, EachOfSeveralRewardsIsToldByItself) {
  write("p.yaml", with(ppo(", epochs: 1",
                           "    reward: [{rule: {shortest: 0}, weight: 2}, {rule: {regex: a}, weight: 0}, "
                           "{rule: {shortest: 1000}, weight: 3}]\n    steps: 1\n    log: {every: 1}\n")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto line = json_lines("runs/tiny/ppo/metrics.jsonl").at(0);
  EXPECT_EQ(line["reward"], 2);
  EXPECT_EQ(line["reward_rule"], 1);
  EXPECT_EQ(line["reward_rule_2"], 0);
  EXPECT_FALSE(line.contains("reward_rule_3"));
}

// Also where a shell has put a slash behind its name.
TEST_F(RlhfTest, ARewardFromAFolderIsCalledLikeIt) {
  write("p.yaml", with("  - name: judge\n    strategy: reward_modeling\n    reward: {regression: {loss: logistic}}\n"
                       "    model: {from: base}\n    steps: 1\n"
                       "    data: {train: {tsv: rated.tsv, columns: {completion: 0, value: 1}}}\n"));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  write("p.yaml", with(ppo(", epochs: 1",
                           "    reward: [{from: runs/tiny/judge/}, {rule: {regex: a}}]\n    steps: 1\n"
                           "    log: {every: 1}\n")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_TRUE(json_lines("runs/tiny/ppo/metrics.jsonl").at(0).contains("reward_judge"));
}

TEST_F(RlhfTest, TheRuleThatComparesSaysWhichColumnItLacks) {
  write("p.yaml", with("  - name: grpo\n    strategy: {grpo: {answers: 2, max_tokens: 4}}\n    model: {from: base}\n"
                       "    reward: {rule: {match: exact, shortest: 0}}\n    batch: 2\n    steps: 2\n"
                       "    data: {prompts: {jsonl: prompts.jsonl}}\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err,
              HasSubstr("`match` compares answers with the column \"expected\", which the data does not have"));
}

// Nothing else tells one evaluation from another.
TEST_F(RlhfTest, TheBestWeightsAreThoseOfTheHighestReward) {
  for (const char* strategy : {"grpo", "rloo", "ppo"}) {
    fs::remove_all(folder_ / "runs/tiny/play");
    write("p.yaml", with(std::string("  - name: play\n    strategy: {") + strategy +
                         ": {answers: 4, max_tokens: 4}}\n    model: {from: base}\n    reward: {rule: {regex: t}}\n"
                         "    data: {prompts: {jsonl: prompts.jsonl}, validation: {split: 0.5}}\n    batch: 3\n"
                         "    steps: 8\n    evaluate: {every: 2}\n    keep: best\n"
                         "    optimizer: {adamw: {learning_rate: 5e-3}}\n"));
    const Said said = regimen("run p.yaml");
    ASSERT_EQ(said.status, 0) << said.err;
    double best = -1;
    int64_t at = 0;
    for (const auto& numbers : json_lines("runs/tiny/play/metrics.jsonl"))
      if (numbers.contains("validation_reward") && numbers["validation_reward"].get<double>() > best)
        best = numbers["validation_reward"], at = numbers["step"];
    EXPECT_EQ(result("play")["best_step"], at) << strategy;
    EXPECT_EQ(result("play")["reward"].get<double>(), best) << strategy;
  }
}

// Of forty equal prompts some are answered with an "a" and some without, the same ones however they are cut.
TEST_F(RlhfTest, HeldOutAnswersDoNotDependOnTheMicroBatch) {
  std::string prompts;
  for (int i = 0; i < 40; ++i) prompts += "{\"prompt\": \"the cat\"}\n";
  write("same.jsonl", prompts);
  write("p.yaml", with("  - name: grpo\n    strategy: {grpo: {answers: 2, max_tokens: 5}}\n    model: {from: base}\n"
                       "    reward: {rule: {regex: a}}\n    batch: 40\n    steps: 1\n"
                       "    data: {prompts: {jsonl: prompts.jsonl}, validation: {jsonl: same.jsonl}}\n"
                       "    optimizer: {adamw: {learning_rate: 1e-9}}\n"));
  std::vector<double> rewards;
  for (const char* size : {"1", "7", "40"}) {
    const Said said = regimen(std::string("run p.yaml --set stages.grpo.micro_batch=") + size);
    ASSERT_EQ(said.status, 0) << said.err;
    rewards.push_back(result("grpo")["reward"]);
    EXPECT_NEAR(rewards.back(), rewards[0], 1e-6) << size;
  }
  EXPECT_GT(rewards[0], 0);
  EXPECT_LT(rewards[0], 1);
}

}  // namespace
}  // namespace rgm
