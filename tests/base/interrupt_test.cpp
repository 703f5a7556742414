// interrupt_test.cpp - what a signal ends, and what it leaves.
#include "base/interrupt.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "base/file.hpp"

namespace rgm {
namespace {

// In a process of its own, which sends itself the signals: those that its thread waits for come one by one. Where a
// later one is to end it, it `waits` for that.
int end_of(void (*catches)(), std::initializer_list<int> signals, const fs::path& folder, bool waits = false) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGHUP, SIG_DFL);  // also under nohup
    catches();
    remove_when_interrupted(folder);
    for (const int signal : signals) ::kill(::getpid(), signal);
    while (!interrupted()) ::usleep(100);
    ::alarm(60);  // in vain
    while (waits) ::pause();
    ::_exit(7);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

class Interrupts : public testing::Test {
 protected:
  void SetUp() override { write_file(folder / "kept", "x"); }
  Interrupts() { fs::create_directories(folder); }
  ~Interrupts() override { fs::remove_all(folder); }
  const fs::path folder = fs::path(testing::TempDir()) / ("interrupt_test" + std::to_string(::getpid()));
};

TEST_F(Interrupts, WhatHasNothingToFinishEndsAtTheFirstWithoutItsFolders) {
  EXPECT_EQ(end_of(end_at_interrupts, {SIGTERM}, folder), 130);
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(Interrupts, TheFirstIsAskedForAndTheFolderStays) {
  EXPECT_EQ(end_of([] { catch_interrupts("this is a test"); }, {SIGHUP, SIGPIPE}, folder), 7);
  EXPECT_TRUE(fs::exists(folder / "kept"));
}

// As `timeout` sends them, to the process and then to its group. Each is seen to be taken before the next one comes,
// and the closed terminal behind them shows that the second has been dealt with.
TEST_F(Interrupts, TwoAtOnceAreOne) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGHUP, SIG_DFL);  // also under nohup
    catch_interrupts("this is a test", std::chrono::hours(1));
    const auto is_pending = [](int signal) {
      sigset_t pending;
      ::sigpending(&pending);
      return sigismember(&pending, signal) == 1;
    };
    for (const int signal : {SIGTERM, SIGTERM, SIGHUP}) {
      ::kill(::getpid(), signal);
      while (!interrupted() || is_pending(signal)) ::usleep(100);
    }
    ::_exit(7);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST_F(Interrupts, ASecondOneLaterEndsAtOnce) {
  const auto catches = [] { catch_interrupts("this is a test", std::chrono::milliseconds(0)); };
  EXPECT_EQ(end_of(catches, {SIGTERM, SIGINT}, folder / "sub", true), 130);
  EXPECT_TRUE(fs::exists(folder / "kept"));
}

using InterruptsDeathTest = Interrupts;

TEST_F(InterruptsDeathTest, WhatTakesLongStopsBetweenItsPieces) {
  stop_if_interrupted("{} was read", "text.txt");
  const auto stopped = [] {
    catch_interrupts();
    { const WhatFollows step("this step is finished"); }
    ::kill(::getpid(), SIGINT);
    while (!interrupted()) ::usleep(100);
    try {
      stop_if_interrupted("{} was read", "text.txt");
    } catch (const Interrupted& e) {
      ::_exit(std::string(e.what()) == "interrupted while text.txt was read" ? 130 : 1);
    }
    ::_exit(0);
  };
  EXPECT_EXIT(stopped(), testing::ExitedWithCode(130), "");
}

// What is said depends on whether a step is under way.
TEST_F(InterruptsDeathTest, AStepIsPromisedOnlyWhileThereIsOne) {
  const auto said = [](bool steps) {
    catch_interrupts();
    const WhatFollows step("this step is finished");
    std::optional<WhatFollows> other;
    if (!steps) other.emplace("nothing is");
    ::kill(::getpid(), SIGINT);
    // The message is written by the thread that waits: the second signal is taken behind it.
    while (!interrupted()) ::usleep(100);
    ::kill(::getpid(), SIGTERM);
    for (sigset_t pending; ::sigpending(&pending), sigismember(&pending, SIGTERM) == 1;) ::usleep(100);
    ::_exit(130);
  };
  EXPECT_EXIT(said(true), testing::ExitedWithCode(130), "stopping: this step is finished; a second Ctrl-C");
  EXPECT_EXIT(said(false), testing::ExitedWithCode(130), "stopping: nothing is; a second Ctrl-C");
}

TEST_F(Interrupts, UnderNohupAClosedTerminalIsNone) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGHUP, SIG_IGN);
    end_at_interrupts();
    sigset_t waited;
    pthread_sigmask(SIG_BLOCK, nullptr, &waited);
    ::_exit(sigismember(&waited, SIGTERM) && !sigismember(&waited, SIGHUP) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace rgm
