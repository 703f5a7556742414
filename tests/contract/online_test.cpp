// online_test.cpp - methods that make their own experience: steps from each rollout, a critic of their own, and how
// they end or go on.
#include <cstdlib>

#include "contract/contract.hpp"

namespace rgm {
namespace {

TEST_F(Contract, AnOnlineMethodRollsOutAndAdaptsItsPriceOfKl) {
  std::string rows;
  for (int i = 0; i < 8; ++i) rows += json{{"prompt", i % 2 ? "the " : "a "}}.dump() + "\n";
  write("prompts.jsonl", rows);
  ASSERT_EQ(run({"online"}, base() + "  - {name: online, strategy: {online: {max_tokens: 8, answers: 4}}, reward: "
                                     "{count_letter: {letter: t}}, model: {from: base}, data: {prompts: {jsonl: "
                                     "prompts.jsonl}}, steps: 8, batch: 4, log: {every: 1}}\n"),
            0)
      << said_;
  const std::vector<double> price = curve("online", "kl_price");
  ASSERT_EQ(price.size(), 8U) << said_;
  // The target of 1 nat is far away at first: the price falls by 2 % a rollout.
  for (size_t i = 1; i < 4; ++i) EXPECT_NEAR(price[i] / price[i - 1], 0.98, 1e-4) << i;

  // Two steps and two epochs from each rollout; the policy learns what is asked, and leaves the reference for it.
  const auto longer = [](const std::string& options) {
    return base() + "  - {name: online, strategy: {online: {max_tokens: 8, answers: 4, epochs: 2, minibatches: 2" +
           options +
           "}}, reward: {count_letter: {letter: t}}, model: {from: base}, data: {prompts: {jsonl: "
           "prompts.jsonl}}, optimizer: {adamw: {learning_rate: 5e-3}}, steps: 80, batch: 8, log: {every: 4}}\n";
  };
  ASSERT_EQ(run({"online"}, longer(", kl: 0.001, kl_target: 1e-6")), 0) << said_;
  const std::vector<double> reward = curve("online", "reward"), tight = curve("online", "kl_price");
  ASSERT_EQ(reward.size(), 20U);
  const auto mean = [&](size_t begin) { return std::accumulate(&reward[begin], &reward[begin] + 5, 0.0) / 5; };
  EXPECT_GT(mean(15), mean(0) + 0.1);
  EXPECT_GT(tight.back(), tight[1] * 1.2);  // leaving costs more and more
}

TEST_F(Contract, ARolloutThatWantsMoreStepsThanItHasAnswersIsToldSo) {
  write("prompts.jsonl", "{\"prompt\": \"the \"}\n");
  EXPECT_EQ(
      run({"online"}, base(1) + "  - {name: online, strategy: {online: {max_tokens: 4, answers: 2, minibatches: 8}}, "
                                "reward: {count_letter: {letter: t}}, model: {from: base}, data: {prompts: {jsonl: "
                                "prompts.jsonl}}, steps: 2, batch: 1}\n"),
      2);
  EXPECT_TRUE(said("8 optimizer steps over 2 examples")) << said_;
}

// A critic with an optimizer state of its own, answers that are no UTF-8, random numbers in a rollout, and a crash
// inside an epoch: the run that goes on has the bits of the one that was never stopped.
TEST_F(Contract, AnActorAndItsCriticGoOnInTheMiddleOfAnEpoch) {
  std::string rows;
  for (int i = 0; i < 6; ++i) rows += json{{"prompt", i % 2 ? "the " : "a "}}.dump() + "\n";
  write("prompts.jsonl", rows);
  const std::string stages =
      base(2) +
      "  - {name: play, strategy: actor_critic, reward: {count_letter: {letter: t}}, critic: {from: base}, model: "
      "{from: base}, data: {prompts: {jsonl: prompts.jsonl}}, checkpoint: {every: 3}, steps: 10, batch: 3, "
      "micro_batch: 2, log: {every: 2}}\n";
  const std::vector<std::string> plugins{"actor_critic", "online"};
  ASSERT_EQ(run(plugins, stages, "whole"), 0) << said_;
  ::setenv("REGIMEN_FIXTURE_CRASH_AT", "12", 1);  // two micro-batches a step: in the sixth
  EXPECT_NE(run(plugins, stages, "crashed"), 0);
  ::unsetenv("REGIMEN_FIXTURE_CRASH_AT");
  ASSERT_EQ(run(plugins, stages, "crashed"), 0) << said_;
  EXPECT_TRUE(said("resumed at step 3")) << said_;
  for (const char* file : {"play/model/model.safetensors", "play/critic/model.safetensors",
                           "play/critic/heads.safetensors", "play/metrics.jsonl"}) {
    if (std::string(file).ends_with("jsonl")) continue;
    EXPECT_EQ(hash_of("crashed/" + std::string(file)), hash_of("whole/" + std::string(file))) << file;
  }
  EXPECT_NE(hash_of("whole/play/critic/model.safetensors"), hash_of("whole/base/model/model.safetensors"));
}

TEST_F(Contract, AStrategyMayEndItsStageAsIfItWereDone) {
  write("prompts.jsonl", "{\"prompt\": \"the \"}\n{\"prompt\": \"a \"}\n");
  ASSERT_EQ(
      run({"actor_critic", "online"},
          base(2) + "  - {name: play, strategy: {actor_critic: {cancel_after: 2}}, reward: {count_letter: {letter: "
                    "t}}, critic: {from: base}, model: {from: base}, data: {prompts: {jsonl: prompts.jsonl}}, steps: "
                    "10, batch: 2, schedule: {linear: {final: 0}}}\n"),
      0)
      << said_;
  EXPECT_TRUE(said("play: ends after step 2: the option cancel_after says so")) << said_;
  EXPECT_EQ(result("play").at("steps"), 2);
  EXPECT_EQ(curve("play", "loss").size(), 1U);  // the last step that counts is told
  // With the rate it was taken with: 0.001 fell by a tenth, as there were to be 10 steps.
  EXPECT_NEAR(curve("play", "learning_rate").at(0), 0.0009, 1e-9);
}

// Interrupted while it samples: it goes on from there, and not with the steps that there were to be.
TEST_F(Contract, AStageThatItsStrategyEndedStaysEnded) {
  write("prompts.jsonl", "{\"prompt\": \"the \"}\n{\"prompt\": \"a \"}\n");
  const auto begun = [&](const std::string& tokens) {
    return run({"actor_critic", "online"},
               base(2) +
                   "  - {name: play, strategy: {actor_critic: {cancel_after: 2}}, reward: {count_letter: {letter: "
                   "t}}, critic: {from: base}, model: {from: base}, data: {prompts: {jsonl: prompts.jsonl}}, "
                   "steps: 10, batch: 2, sample: {prompt: \"the \", tokens: " +
                   tokens + "}}\n");
  };
  ::setenv("REGIMEN_FIXTURE_INTERRUPT", "1", 1);
  EXPECT_EQ(begun("1000000"), 130) << said_;
  ::unsetenv("REGIMEN_FIXTURE_INTERRUPT");
  ASSERT_EQ(begun("5"), 0) << said_;
  EXPECT_TRUE(said("play: resumed at step 2")) << said_;
  EXPECT_EQ(result("play").at("steps"), 2);
}

}  // namespace
}  // namespace rgm
