// resume_test.cpp - a run that was killed or interrupted goes on and ends with the same bits.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <regex>
#include <thread>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class ResumeTest : public TinyRun {
 protected:
  ResumeTest() { write("p.yaml", tiny(300, "    checkpoint: {every: 50}\n    log: {every: 10}\n")); }

  // Starts a run in `out`, sends `signal` once the checkpoint of `step` is there, and answers how the process ended.
  int stop_after(int step, int signal, const std::string& out) {
    const fs::path wanted = folder_ / out / "base" / "checkpoint" / ("step-" + std::to_string(step));
    return stop_when([&] { return fs::exists(wanted); }, signal, out);
  }
  template <class Condition>
  int stop_when(const Condition& holds, int signal, const std::string& out) {
    const pid_t child = start(out);
    int status = 0;
    while (!holds() && ::waitpid(child, &status, WNOHANG) == 0) std::this_thread::sleep_for(1ms);
    ::kill(child, signal);
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  int resumed_at(const std::string& said) {
    std::smatch found;
    return std::regex_search(said, found, std::regex("resumed at step ([0-9]+)")) ? std::stoi(found[1]) : 0;
  }
  std::string uninterrupted() {
    EXPECT_EQ(regimen("run p.yaml --out whole").status, 0);
    return hash_of("whole/base/model/model.safetensors");
  }
};

TEST_F(ResumeTest, KilledAtThreeMomentsItEndsWithTheSameBits) {
  const std::string whole = uninterrupted();
  for (const int step : {50, 100, 200}) {
    const std::string out = "killed-" + std::to_string(step);
    ASSERT_EQ(stop_after(step, SIGKILL, out), 128 + SIGKILL) << "it ended before it was killed";
    const Said said = regimen("run p.yaml --out " + out);
    ASSERT_EQ(said.status, 0) << said.err;
    EXPECT_GE(resumed_at(said.err), step) << said.err;
    EXPECT_EQ(hash_of(out + "/base/model/model.safetensors"), whole) << "killed after step " << step;
    EXPECT_EQ(json(out + "/base/stage.json")["result"]["steps"], 300);
  }
}

TEST_F(ResumeTest, InterruptedItSaysHowToGoOn) {
  ASSERT_EQ(stop_after(50, SIGINT, "out"), 130);
  EXPECT_THAT(read_file(folder_ / "err.log"), HasSubstr("the same command continues"));
  EXPECT_EQ(json("out/base/stage.json")["status"], "interrupted");
  const Said said = regimen("run p.yaml --out out");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_GE(resumed_at(said.err), 50);
  EXPECT_EQ(hash_of("out/base/model/model.safetensors"), uninterrupted());
}

// A closed terminal, of which the shell and the system both tell.
TEST_F(ResumeTest, AClosedTerminalIsAnInterruption) {
  const fs::path wanted = folder_ / "out/base/checkpoint/step-50";
  const pid_t child = start("out");
  int status = 0;
  while (!fs::exists(wanted) && ::waitpid(child, &status, WNOHANG) == 0) std::this_thread::sleep_for(1ms);
  ::kill(child, SIGHUP);
  ::kill(child, SIGHUP);
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << "it was ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_EQ(json("out/base/stage.json")["status"], "interrupted");
  EXPECT_GE(resumed_at(regimen("run p.yaml --out out").err), 50);
}

// As Ctrl-C does in a terminal, which ends `tee` too: nobody reads what is said about the checkpoint.
TEST_F(ResumeTest, WithItsReaderGoneItStillWritesItsCheckpoint) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]), ::close(ends[1]);
    if (::chdir(folder_.c_str()) != 0) ::_exit(99);
    ::execl(REGIMEN_PROGRAM, "regimen", "run", "p.yaml", "--out", "out", nullptr);
    ::_exit(99);
  }
  ::close(ends[1]);
  std::string said;
  for (char c; said.find("step 10/300") == said.npos && ::read(ends[0], &c, 1) == 1;) said += c;
  ::close(ends[0]);
  ::kill(child, SIGINT);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << "it was ended by signal " << WTERMSIG(status) << " after " << said;
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_EQ(json("out/base/stage.json")["status"], "interrupted");
  EXPECT_GE(resumed_at(regimen("run p.yaml --out out").err), 10);
}

TEST_F(ResumeTest, InterruptedWhileItSamplesItGoesOnFromTheLastStep) {
  write("p.yaml", tiny(5, "    sample: {prompt: \"the \", tokens: 1000000}\n"));
  const auto evaluated = [&] {
    const fs::path metrics = folder_ / "out/base/metrics.jsonl";
    return fs::exists(metrics) && read_file(metrics).find("validation_loss") != std::string::npos;
  };
  ASSERT_EQ(stop_when(evaluated, SIGTERM, "out"), 130);
  EXPECT_THAT(read_file(folder_ / "err.log"), HasSubstr("a second Ctrl-C ends at once"));
  // What is only watched may change on the way.
  const Said said = regimen("run p.yaml --out out --set stages.base.sample.tokens=5 --set stages.base.log.every=1");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(resumed_at(said.err), 5) << said.err;
  ASSERT_EQ(regimen("run p.yaml --out whole --set stages.base.sample.tokens=5").status, 0);
  EXPECT_EQ(hash_of("out/base/model/model.safetensors"), hash_of("whole/base/model/model.safetensors"));
  EXPECT_EQ(json("out/base/stage.json")["result"]["validation_loss"],
            json("whole/base/stage.json")["result"]["validation_loss"]);
  EXPECT_EQ(json("out/base/stage.json")["result"]["loss"], json("whole/base/stage.json")["result"]["loss"]);
}

// The rate is too small to change a weight, so no evaluation is better than the first. Interrupted while it samples.
TEST_F(ResumeTest, OutOfPatienceItTakesNoFurtherStep) {
  write("p.yaml", tiny(40,
                       "    optimizer: {sgd: {learning_rate: 1e-30}}\n    evaluate: {every: 2, patience: 2}\n"
                       "    sample: {prompt: \"the \", tokens: 1000000}\n"));
  const auto ended = [&] {
    const fs::path log = folder_ / "err.log";
    return fs::exists(log) && read_file(log).find("base: ends after step 6: ") != std::string::npos;
  };
  ASSERT_EQ(stop_when(ended, SIGTERM, "out"), 130);
  const Said said = regimen("run p.yaml --out out --set stages.base.sample.tokens=5");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(resumed_at(said.err), 6) << said.err;
  EXPECT_THAT(said.err, HasSubstr("the last 2 evaluations were no better than that of step 2, validation_loss "));
  EXPECT_EQ(json("out/base/stage.json")["result"]["steps"], 6);
}

TEST_F(ResumeTest, ACheckpointOfOtherSettingsIsNotUsed) {
  ASSERT_EQ(stop_after(50, SIGKILL, "out"), 128 + SIGKILL);
  const Said said = regimen("run p.yaml --out out --set stages.base.steps=60");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(resumed_at(said.err), 0);
}

// As after `micro_batch`, which the program itself advises, was tried, or another number of threads.
TEST_F(ResumeTest, ACheckpointWaitsForItsSettings) {
  const std::string whole = uninterrupted(), settings = read_file(folder_ / "p.yaml");
  ASSERT_EQ(stop_after(50, SIGKILL, "out"), 128 + SIGKILL);
  write("p.yaml", settings + "    micro_batch: 2\n");
  const auto others_began = [&] {
    return read_file(folder_ / "err.log").find("base: starting over") != std::string::npos &&
           fs::exists(folder_ / "out/base/checkpoint/step-50");
  };
  ASSERT_EQ(stop_when(others_began, SIGINT, "out"), 130);
  const std::string said = read_file(folder_ / "err.log");
  EXPECT_THAT(said, HasSubstr("was made with other settings, data or threads: micro_batch (4, now 2). It is kept in "));

  write("p.yaml", settings);
  const Said back = regimen("run p.yaml --out out");
  ASSERT_EQ(back.status, 0) << back.err;
  EXPECT_THAT(back.err, HasSubstr("micro_batch (2, now 4)"));
  EXPECT_GE(resumed_at(back.err), 50) << back.err;
  EXPECT_EQ(hash_of("out/base/model/model.safetensors"), whole);
  const auto lines = [&](const std::string& out) {
    const std::string text = read_file(folder_ / out / "base/metrics.jsonl");
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_EQ(lines("out"), lines("whole")) << "those of the others are none of its metrics";
  EXPECT_FALSE(fs::exists(folder_ / "out/base/checkpoint")) << "all are gone when the stage is done";
}

TEST_F(ResumeTest, WhatIsComputedAgainChangesNoBitAndIsNoOtherSetting) {
  ASSERT_EQ(stop_after(50, SIGKILL, "out"), 128 + SIGKILL);
  const Said said = regimen("run p.yaml --out out --set stages.base.recompute=true");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_GE(resumed_at(said.err), 50) << said.err;
  EXPECT_EQ(hash_of("out/base/model/model.safetensors"), uninterrupted());
}

// As a kill between the last line of stage.json and the removal leaves them.
TEST_F(ResumeTest, ADoneStageKeepsNoCheckpoint) {
  write("p.yaml", tiny(2));
  ASSERT_EQ(regimen("run p.yaml --out out").status, 0);
  fs::create_directories(folder_ / "out/base/checkpoint/step-1");
  write("out/base/best.safetensors", "");
  const Said said = regimen("run p.yaml --out out");
  EXPECT_THAT(said.err, HasSubstr("stage base: unchanged, not run again"));
  EXPECT_FALSE(fs::exists(folder_ / "out/base/checkpoint"));
  EXPECT_FALSE(fs::exists(folder_ / "out/base/best.safetensors"));
}

TEST_F(ResumeTest, AFolderThatIsInUseIsLeftAlone) {
  fs::create_directories(folder_ / "out");
  const int lock = ::open((folder_ / "out" / ".lock").c_str(), O_RDWR | O_CREAT, 0644);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  ASSERT_EQ(::write(lock, "4711", 4), 4);
  const Said said = regimen("run p.yaml --out out");
  ::close(lock);
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("process 4711 is running in this folder"));
  EXPECT_FALSE(fs::exists(folder_ / "out" / "base"));
}

}  // namespace
}  // namespace rgm
