// ppo_test.cpp - PPO: its critic, the price of leaving the reference, and a run that is killed on the way.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

// Four optimizer steps a rollout and a checkpoint every three: it goes on inside an epoch, with the critic, the moments
// and the price that it had.
TEST_F(RlhfTest, PpoThatIsKilledEndsWithTheSameBits) {
  write("p.yaml", with(ppo(", epochs: 2, minibatches: 2, kl_target: 0.5",
                           "    reward: {rule: {regex: a}}\n    critic: {from: base}\n    steps: 60\n"
                           "    checkpoint: {every: 3}\n    optimizer: {adamw: {rates: {\"value.*\": 1e-3}}}\n")));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  for (const char* at : {"step-3", "step-24"}) {
    const std::string out = std::string("killed-") + at;
    const pid_t child = start(out);
    int status = 0;
    while (!fs::exists(folder_ / out / "ppo/checkpoint" / at) && ::waitpid(child, &status, WNOHANG) == 0)
      std::this_thread::yield();
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended before it was killed";
    const Said said = regimen("run p.yaml --out " + out);
    ASSERT_EQ(said.status, 0) << said.err;
    EXPECT_THAT(said.err, HasSubstr("resumed at step"));
    for (const char* file :
         {"model/model.safetensors", "model/heads.safetensors", "critic/model.safetensors", "critic/heads.safetensors"})
      EXPECT_EQ(hash_of(out + "/ppo/" + file), hash_of(std::string("whole/ppo/") + file)) << at << " " << file;
  }
}

// 32 channels and a bias, which the strategy files when the stage begins.
TEST_F(RlhfTest, ACriticsHeadHasARateOfItsOwn) {
  write("p.yaml", with(ppo("",
                           "    reward: {rule: {regex: a}}\n    steps: 2\n"
                           "    optimizer: {adamw: {learning_rate: 0.25, rates: {\"value.*\": 0.5}}}\n")));
  const Said said = regimen("plan p.yaml --json");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(parse_json(said.out)[1]["rates"],
            parse_json(R"([{"learning_rate": 0.5, "parameters": 33, "pattern": "value.*"},
                           {"learning_rate": 0.25, "parameters": 26784}])"));
}

TEST_F(RlhfTest, PastTheLimitTheLastCheckpointStays) {
  write("p.yaml", with(ppo(", kl: 0, epochs: 1, kl_limit: 0.5",
                           "    reward: {rule: {regex: a}}\n    optimizer: {adamw: {learning_rate: 2e-2}}\n"
                           "    steps: 60\n    checkpoint: {every: 1}\n")));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("above kl_limit"));
  EXPECT_FALSE(fs::is_empty(folder_ / "runs/tiny/ppo/checkpoint"));
}

TEST_F(RlhfTest, TheNextStageHasItsOwnPrice) {
  const std::string rule = "    reward: {rule: {regex: cat}}\n    steps: 1\n    log: {every: 1}\n";
  std::string again = ppo(", kl: 2", rule);
  again.replace(again.find("name: ppo"), 9, "name: two");
  again.replace(again.find("from: base"), 10, "from: ppo");
  write("p.yaml", with(ppo(", kl: 0.5", rule) + again));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(json("runs/tiny/ppo/metrics.jsonl")["kl_price"], 0.5);
  EXPECT_EQ(json("runs/tiny/two/metrics.jsonl")["kl_price"], 2);
}

// What draws the answers and what the reference says is without it, too.
TEST_F(RlhfTest, ThePolicyHasNoDropoutOfItsOwn) {
  std::string text = with(ppo("", "    reward: {rule: {regex: cat}}\n    steps: 1\n    log: {every: 1}\n"));
  text.replace(text.find("context: 16"), 11, "context: 16, dropout: 0.5");
  write("p.yaml", text);
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto metrics = json("runs/tiny/ppo/metrics.jsonl");
  EXPECT_EQ(metrics["clip_fraction"], 0);
  EXPECT_LT(double(metrics["kl_of_update"]), 1e-10);
}

}  // namespace
}  // namespace rgm
