// run_lock_test.cpp - one run at a time in a folder, and the folder stays the one that it began in.
#include "pipeline/run_lock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "artefact/folder.hpp"
#include "base/error.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(RunLock, AFolderThatGoesOrIsAnotherIsNamed) {
  const test::Folder folder;
  const fs::path run = folder / "run";
  fs::create_directories(run);
  const RunLock lock(run);
  lock.check();
  fs::rename(run, folder / "gone");
  const auto check = [&] { lock.check(); };
  EXPECT_THAT(check, ThrowsMessage<Error>(HasSubstr(run.string() + ": was removed or replaced during the run")));
  fs::create_directories(run);
  const RunLock other(run);
  EXPECT_THAT(check, ThrowsMessage<Error>(HasSubstr("was removed or replaced")));
  other.check();
}

}  // namespace
}  // namespace rgm
