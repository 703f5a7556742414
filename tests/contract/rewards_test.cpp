// rewards_test.cpp - a reward learns from rankings, and scores the answers of a later stage.
#include "contract/contract.hpp"

namespace rgm {
namespace {

// The same answers with their ranks, once for each of these groups.
std::string rankings(int begin, int end, std::initializer_list<std::pair<const char*, int>> answers) {
  std::string rows;
  for (int g = begin; g < end; ++g)
    for (const auto& [text, rank] : answers)
      rows += nlohmann::json{{"completion", text}, {"group", g}, {"rank", rank}}.dump() + "\n";
  return rows;
}
std::string judge(const std::string& more) {
  return "  - {name: judge, strategy: reward_modeling, reward: ranking, model: {from: base}, data: {train: {jsonl: "
         "ranks.jsonl}}, " +
         more + "}\n";
}

TEST_F(Contract, ARankingRewardLearnsFromGroupsWithTies) {
  write("ranks.jsonl", rankings(0, 8, {{"the cat sat", 1}, {"a dog ran", 2}, {"zz zz zz", 2}}));
  const auto learning = [](const char* micro_batch) {
    return base() + judge(
                        "optimizer: {adamw: {learning_rate: 3e-3}}, steps: 15, batch: 4, log: {every: 1}, "
                        "micro_batch: " +
                        std::string(micro_batch));
  };
  ASSERT_EQ(run({}, learning("2")), 0) << said_;
  expect_falls("judge", "loss", 0.1);
  EXPECT_GT(curve("judge", "accuracy").back(), 0.99);
  const std::vector<double> halves = curve("judge", "loss");

  // Groups never split, so how many are read at once changes nothing.
  ASSERT_EQ(run({}, learning("4")), 0) << said_;
  const std::vector<double> whole = curve("judge", "loss");
  ASSERT_EQ(halves.size(), whole.size());
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(halves[i], whole[i], 1e-3) << i;

  // A tie alone says nothing: its group adds 0 to the sum over groups, which are now twice as many.
  const std::string told = rankings(0, 4, {{"the cat sat", 1}, {"a dog ran", 2}});
  const std::string tied = rankings(4, 8, {{"the cat sat", 1}, {"a dog ran", 1}});
  const std::string once = "optimizer: {adamw: {learning_rate: 1e-9}}, steps: 1, batch: ";
  write("ranks.jsonl", told);
  ASSERT_EQ(run({}, base() + judge(once + "4")), 0) << said_;
  const double without_ties = result("judge").at("loss");
  write("ranks.jsonl", told + tied);
  ASSERT_EQ(run({}, base() + judge(once + "8")), 0) << said_;
  EXPECT_NEAR(result("judge").at("loss").get<double>(), without_ties / 2, 1e-4);
}

TEST_F(Contract, ALearnedRewardJudgesTheAnswersOfALaterStage) {
  write("ranks.jsonl", rankings(0, 8, {{"the cat sat", 1}, {"zz zz zz", 2}}));
  write("prompts.jsonl", "{\"prompt\": \"the \"}\n{\"prompt\": \"a \"}\n");
  const std::string learned = base() + judge("steps: 3, batch: 4");
  const auto online = [](const std::string& reward) {
    return "  - {name: online, strategy: {online: {max_tokens: 4, answers: 2}}, reward: " + reward +
           ", model: {from: base}, data: {prompts: {jsonl: prompts.jsonl}}, steps: 2, batch: 2, log: {every: 1}}\n";
  };
  ASSERT_EQ(run({"online"}, learned + online("{from: judge}")), 0) << said_;
  const std::vector<double> by_stage = curve("online", "reward");
  ASSERT_FALSE(by_stage.empty());
  // The same from its folder, where the reward is found by the parameters it filed.
  ASSERT_EQ(run({"online"}, learned + online("{from: run/judge}")), 0) << said_;
  EXPECT_EQ(curve("online", "reward"), by_stage);
}

}  // namespace
}  // namespace rgm
