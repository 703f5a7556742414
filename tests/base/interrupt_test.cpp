// interrupt_test.cpp - what a signal ends, and what it leaves.
#include "base/interrupt.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/file.hpp"

namespace rgm {
namespace {

// In a process of its own, which sends itself the signals: those that its thread waits for come one by one.
int end_of(void (*catches)(), std::initializer_list<int> signals, const fs::path& folder) {
  const pid_t child = ::fork();
  if (child == 0) {
    catches();
    remove_when_interrupted(folder);
    for (const int signal : signals) ::kill(::getpid(), signal);
    while (!interrupted()) ::usleep(100);
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
