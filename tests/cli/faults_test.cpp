// faults_test.cpp - what a night's training meets: kills, full disks, folders that cannot be written. The state before
// stays good, and the message says where and how much.
#include <fcntl.h>
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

  // Runs p.yaml in `out` until `holds`, then kills it; false when it had ended before.
  template <class Condition>
  bool kill_when(const std::string& out, const Condition& holds) {
    const pid_t child = ::fork();
    if (child == 0) {
      const int log = ::open("/dev/null", O_WRONLY);
      ::dup2(log, STDERR_FILENO);
      if (::chdir(folder_.c_str()) != 0) ::_exit(99);
      ::execl(REGIMEN_PROGRAM, "regimen", "run", "p.yaml", "--out", out.c_str(), nullptr);
      ::_exit(99);
    }
    int status = 0;
    while (!holds() && ::waitpid(child, &status, WNOHANG) == 0) std::this_thread::sleep_for(1ms);
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status);
  }
  static int64_t lines_of(const fs::path& file) {
    if (!fs::exists(file)) return 0;
    const std::string text = read_file(file);
    return std::count(text.begin(), text.end(), '\n');
  }
};

TEST_F(Faults, KilledAtTwentyRandomMomentsItEndsWithTheSameBits) {
  write("p.yaml", tiny(120, "    checkpoint: {every: 20}\n    log: {every: 1}\n"));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  const std::string whole = hash_of("whole" + std::string(model));
  std::mt19937 random(7);
  for (int i = 0; i < 20; ++i) {
    const std::string out = "killed-" + std::to_string(i);
    const int64_t logged = 23 + static_cast<int64_t>(random() % 90);  // the checkpoint of step 20 is there by then
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
  write("p.yaml", tiny(40, "    checkpoint: {every: 20}\n"));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  // The weights take 107 kB, with the optimizer's moments three times that: neither fits into 64 blocks of 1 kB.
  const std::string limit = "cd " + folder_.string() + " && ulimit -f 64 &&";
  const Said said = rgm::regimen("run p.yaml --out out", limit);
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("out/base/checkpoint/"));
  EXPECT_THAT(said.err, HasSubstr("File too large"));
  EXPECT_THAT(said.err, testing::ContainsRegex("[0-9]+ more bytes are needed"));
  // With a checkpoint from before, the same limit leaves it as it was.
  ASSERT_TRUE(kill_when("out", [&] { return fs::exists(folder_ / "out/base/checkpoint/step-20"); }));
  const std::string before = hash_of("out/base/checkpoint/step-20/tensors.safetensors");
  EXPECT_EQ(rgm::regimen("run p.yaml --out out", limit).status, 1);
  EXPECT_EQ(hash_of("out/base/checkpoint/step-20/tensors.safetensors"), before);
  const Said again = regimen("run p.yaml --out out");
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("resumed at step 20"));
  EXPECT_EQ(hash_of("out" + std::string(model)), hash_of("whole" + std::string(model)));
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
