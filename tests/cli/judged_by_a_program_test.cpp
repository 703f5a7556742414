// judged_by_a_program_test.cpp - a program as the judge: answers that it does not score, and how it begins and ends.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

// The answer n of a judge, counted from 1, as a shell says it.
class JudgedByAProgram : public RlhfTest {
 protected:
  void judge(const std::string& says) const {
    write("judge.sh", "#!/bin/sh\nn=0\nwhile read -r line; do n=$((n+1)); " + says + "; done\n");
    fs::permissions(folder_ / "judge.sh", fs::perms::owner_all);
  }
  // A prompt and its four answers a rollout.
  static std::string learn(const std::string& strategy, const std::string& more) {
    return with("  - name: play\n    strategy: {" + strategy +
                ": {answers: 4, max_tokens: 4}}\n    model: {from: base}\n    batch: 1\n    log: {every: 1}\n"
                "    reward: {command: {program: judge.sh}}\n    data: {prompts: {jsonl: prompts.jsonl}}\n" +
                more);
  }
  std::vector<nlohmann::json> metrics(const std::string& stage) const {
    return json_lines("runs/tiny/" + stage + "/metrics.jsonl");
  }
};

// Of answers 9 to 12, those of the third rollout, the judge says nothing: six steps take seven rollouts.
TEST_F(JudgedByAProgram, ARolloutWithoutAScoreIsLeftOut) {
  judge("if [ $n -ge 9 ] && [ $n -le 12 ]; then echo null; else echo $n; fi");
  for (const char* strategy : {"grpo", "rloo", "ppo"}) {
    fs::remove_all(folder_ / "runs/tiny/play");
    write("p.yaml", learn(strategy, "    steps: 6\n"));
    if (strategy == std::string("ppo")) {
      std::string text = read_file(folder_ / "p.yaml");
      text.replace(text.find("answers: 4"), 10, "epochs: 1, answers: 4");
      write("p.yaml", text);
    }
    const Said said = regimen("run p.yaml");
    ASSERT_EQ(said.status, 0) << said.err;
    EXPECT_THAT(said.err, HasSubstr("play: rollout 3 is left out, and no step learns from it, because none of its "
                                    "answers has a score from reward \"command\""));
    EXPECT_THAT(said.err, testing::Not(HasSubstr("expected"))) << "a column that this judge has no use for";
    const auto lines = metrics("play");
    ASSERT_EQ(lines.size(), 6U);
    EXPECT_EQ(lines[1]["reward"], (5 + 6 + 7 + 8) / 4.0);
    EXPECT_EQ(lines[2]["reward"], (13 + 14 + 15 + 16) / 4.0) << strategy;
  }
}

TEST_F(JudgedByAProgram, TenRolloutsWithoutAScoreFailTheStage) {
  judge("if [ $n -le 4 ]; then echo 1; else echo null; fi");
  write("p.yaml", learn("grpo", "    steps: 6\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("rollout 10 is left out"));
  EXPECT_THAT(said.err, HasSubstr("play: 10 rollouts in a row were left out, the last one because none of its answers "
                                  "has a score from reward \"command\""));
}

TEST_F(JudgedByAProgram, OneThatCannotBeRunIsToldBeforeAnythingIsTrained) {
  judge("echo 1");
  write("p.yaml", learn("grpo", "    steps: 1\n"));
  EXPECT_EQ(regimen("check p.yaml").status, 0);
  fs::permissions(folder_ / "judge.sh", fs::perms(0644));
  const Said closed = regimen("check p.yaml");
  EXPECT_EQ(closed.status, 2);
  EXPECT_THAT(closed.err, HasSubstr("judge.sh cannot be run: it is not executable; chmod +x it"));
  for (const auto& [line, said] : {std::pair("#!/no/such/shell -e\n", "its first line names /no/such/shell, which"),
                                   std::pair("#! /bin/sh\r\n", "take the carriage returns out of the file")}) {
    write("judge.sh", line);
    fs::permissions(folder_ / "judge.sh", fs::perms::owner_all);
    const Said without = regimen("check p.yaml");
    EXPECT_EQ(without.status, 2);
    EXPECT_THAT(without.err, HasSubstr(said));
  }
}

// It is asked and answers nothing; the run is killed, which can end nothing itself.
TEST_F(JudgedByAProgram, TheProgramEndsWithARunThatIsKilled) {
  write("judge.sh", "#!/bin/sh\nread -r line\necho $$ >number\nmv number judge.number\nexec sleep 600\n");
  fs::permissions(folder_ / "judge.sh", fs::perms::owner_all);
  write("p.yaml", learn("grpo", "    steps: 1\n"));
  const pid_t child = start("out");
  int status = 0;
  while (!fs::exists(folder_ / "judge.number") && ::waitpid(child, &status, WNOHANG) == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << read_file(folder_ / "err.log");
  const fs::path process = "/proc/" + std::to_string(std::stoi(read_file(folder_ / "judge.number"))) + "/status";
  const auto lives = [&] {
    std::ifstream file(process);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return !text.empty() && text.find("State:\tZ") == std::string::npos;
  };
  for (int tries = 0; tries < 20'000 && lives(); ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(lives());
}

// The training was not in vain: its weights are there.
TEST_F(JudgedByAProgram, WhereNoEvaluationHasANumberTheLastWeightsAreKept) {
  judge("if [ $n -le 4 ]; then echo $n; else echo null; fi");
  write("p.yaml", beside_prompts(learn("grpo", "    steps: 1\n    keep: best\n"), "validation: {split: 0.5}"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("the last weights are kept"));
  EXPECT_FALSE(result("play").contains("best_step"));
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/play/model/model.safetensors"));
}

}  // namespace
}  // namespace rgm
