// crash_test.cpp - a crash has last words, and ends the process as it would have.
#include "base/crash.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace rgm {
namespace {

TEST(CrashDeathTest, TellsTheSignalAndTheNote) {
  EXPECT_EXIT(
      {
        tell_crashes();
        set_crash_note("the first note");
        set_crash_note("stage base: the checkpoint of step 50 is kept");
        ::raise(SIGABRT);
      },
      testing::KilledBySignal(SIGABRT), "crashed \\(aborted\\).*\n.*stage base: the checkpoint of step 50 is kept");
}

TEST(CrashDeathTest, ANoteThatIsTooLongIsCut) {
  EXPECT_EXIT(
      {
        tell_crashes();
        set_crash_note(std::string(600, 'x'));
        ::raise(SIGABRT);
      },
      testing::KilledBySignal(SIGABRT), "x{511}\n");
}

TEST(CrashDeathTest, WhoLooksAtCrashesAlreadyStillDoes) {
  EXPECT_EXIT(
      {
        ::signal(SIGABRT, [](int) { ::_exit(7); });
        tell_crashes();
        ::raise(SIGABRT);
      },
      testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace rgm
