// faults_test.cpp - what a night's training meets: kills, full disks, folders that cannot be written. The state before
// stays good, and the message says where and how much.
#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <random>
#include <regex>
#include <thread>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class Faults : public TinyRun {
 protected:
  static constexpr const char* model = "/base/model/model.safetensors";

  // Sends `signal` once `holds`; false when the process ended before.
  template <class Condition>
  static bool signal_when(pid_t child, int signal, const Condition& holds) {
    while (!holds()) {
      siginfo_t info{};
      ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT);
      if (info.si_pid == child) return false;
      std::this_thread::sleep_for(1ms);
    }
    return ::kill(child, signal) == 0;
  }
  static int end_of(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  template <class Condition>
  bool kill_when(const std::string& out, const Condition& holds) const {
    const pid_t child = start(out);
    signal_when(child, SIGKILL, holds);
    return end_of(child) == 128 + SIGKILL;
  }
  bool was_said(const std::string& text) const {
    return fs::exists(folder_ / "err.log") && read_file(folder_ / "err.log").find(text) != std::string::npos;
  }
  static int64_t lines_of(const fs::path& file) {
    if (!fs::exists(file)) return 0;
    const std::string text = read_file(file);
    return std::count(text.begin(), text.end(), '\n');
  }
};

TEST_F(Faults, KilledAtTwentyRandomMomentsItEndsWithTheSameBits) {
  write("p.yaml", tiny(200, "    checkpoint: {every: 20}\n    log: {every: 1}\n"));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  const std::string whole = hash_of("whole" + std::string(model));
  std::mt19937 random(7);
  for (int i = 0; i < 20; ++i) {
    const std::string out = "killed-" + std::to_string(i);
    const int64_t logged = 23 + static_cast<int64_t>(random() % 97);  // after the checkpoint of step 20
    const fs::path base = folder_ / out / "base";
    ASSERT_TRUE(kill_when(out, [&] { return lines_of(base / "metrics.jsonl") >= logged; }))
        << "it ended before line " << logged;
    const Said said = regimen("run p.yaml --out " + out);
    ASSERT_EQ(said.status, 0) << said.err;
    std::smatch found;
    ASSERT_TRUE(std::regex_search(said.err, found, std::regex("resumed at step ([0-9]+)"))) << said.err;
    EXPECT_GE(std::stoi(found[1]), 20);
    EXPECT_EQ(hash_of(out + model), whole) << "killed after " << logged << " lines";
    EXPECT_EQ(lines_of(base / "metrics.jsonl"), lines_of(folder_ / "whole/base/metrics.jsonl"));
    fs::remove_all(folder_ / out);
  }
}

TEST_F(Faults, AFileSizeLimitIsToldAndTheCheckpointBeforeStands) {
  write("p.yaml", tiny(300, "    checkpoint: {every: 150}\n"));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  // The weights take 107 kB, with the optimizer's moments three times that: neither fits into 64 blocks.
  const std::string limit = "cd " + folder_.string() + " && ulimit -f 64 &&";
  const Said said = rgm::regimen("run p.yaml --out out", limit);
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("out/base/checkpoint/"));
  EXPECT_THAT(said.err, HasSubstr("File too large"));
  EXPECT_THAT(said.err, testing::ContainsRegex("[0-9]+ more bytes are needed"));
  // With a checkpoint from before, the same limit leaves it as it was.
  ASSERT_TRUE(kill_when("out", [&] { return fs::exists(folder_ / "out/base/checkpoint/step-150"); }));
  const std::string before = hash_of("out/base/checkpoint/step-150/tensors.safetensors");
  EXPECT_EQ(rgm::regimen("run p.yaml --out out", limit).status, 1);
  EXPECT_EQ(hash_of("out/base/checkpoint/step-150/tensors.safetensors"), before);
  const Said again = regimen("run p.yaml --out out");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("resumed at step 150"));
  EXPECT_EQ(hash_of("out" + std::string(model)), hash_of("whole" + std::string(model)));
}

TEST_F(Faults, ASecondCtrlCEndsAtOnce) {
  write("p.yaml", tiny(9, "    micro_batch: 8\n"));  // steps of some seconds: the first Ctrl-C waits for the end of one
  write_file(folder_ / "p.yaml",
             std::regex_replace(read_file(folder_ / "p.yaml"), std::regex("batch: 4\n"), "batch: 4096\n"));
  const pid_t child = start("out");
  ASSERT_TRUE(signal_when(child, SIGINT, [&] { return was_said("stage base: pretrain"); }));
  ASSERT_TRUE(signal_when(child, SIGINT, [&] { return was_said("a second Ctrl-C ends at once"); }));
  EXPECT_EQ(end_of(child), 130);
  EXPECT_FALSE(fs::exists(folder_ / "out/base/checkpoint/step-1"));
}

TEST_F(Faults, ALossThatIsNotFiniteStopsAndTheCheckpointBeforeIsKept) {
  write("p.yaml",
        tiny(9, "    checkpoint: {every: 1}\n    log: {every: 1}\n    optimizer: {adamw: {learning_rate: 1e30}}\n"));
  const Said said = regimen("run p.yaml --out out");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("base: at step 2 the loss is not finite"));
  EXPECT_THAT(said.err, HasSubstr("The last checkpoint is kept in out/base/checkpoint"));
  EXPECT_TRUE(fs::exists(folder_ / "out/base/checkpoint/step-1/state.json"));
  EXPECT_EQ(json("out/base/stage.json")["status"], "failed");
}

TEST_F(Faults, AFolderThatCannotBeMadeIsNamed) {
  write("p.yaml", tiny(3));
  write("occupied", "a file");
  const Said said = regimen("run p.yaml --out occupied/run");
  EXPECT_NE(said.status, 0);
  EXPECT_THAT(said.err, HasSubstr("occupied/run"));
}

}  // namespace
}  // namespace rgm
