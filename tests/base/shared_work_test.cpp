// shared_work_test.cpp - what one process does for all, and what happens to all where it fails.
#include "base/shared_work.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "base/forked.hpp"
#include "base/interrupt.hpp"

namespace rgm::test {
namespace {

using testing::Each;
using testing::ElementsAre;

TEST(SharedWork, TheFirstProcessWorksAndAllHaveItsAnswer) {
  EXPECT_THAT(
      in_processes(
          3, [](ProcessGroup& group) { return from_first(group, [&] { return fmt::format("of {}", group.rank()); }); }),
      Each("of 0"));
}

TEST(SharedWork, EachWorksAndAllHaveAllAnswers) {
  EXPECT_THAT(in_processes(3,
                           [](ProcessGroup& group) {
                             const auto all = from_each(group, [&] { return std::string(size_t(group.rank()), 'x'); });
                             return fmt::format("{}", fmt::join(all, ","));
                           }),
              Each(",x,xx"));
}

TEST(SharedWork, WhatOneThrowsAllThrow) {
  const auto said = in_processes(2, [](ProcessGroup& group) {
    try {
      from_each(group, [&]() -> std::string {
        if (group.rank() == 1) invalid("no such row");
        return "";
      });
    } catch (const Error& e) {
      return fmt::format("{} {}", int{e.status()}, e.what());
    }
    return std::string();
  });
  EXPECT_THAT(said, ElementsAre(fmt::format("{} process 1: no such row", int{RGM_INVALID}),
                                fmt::format("{} no such row", int{RGM_INVALID})));
  EXPECT_THAT(in_processes(2,
                           [](ProcessGroup& group) {
                             try {
                               from_first(group, []() -> std::string { throw Interrupted("after 3 rows"); });
                             } catch (const Interrupted& e) {
                               return std::string(e.what());
                             }
                             return std::string();
                           }),
              Each("after 3 rows"));
}

TEST(SharedWork, TheOthersFindWhatTheFirstHasWritten) {
  std::string pattern = (fs::temp_directory_path() / "regimen-shared-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  const auto said = in_processes(2, [&](ProcessGroup& group) {
    std::string found;
    first_then_others(group, [&] {
      found = fs::exists(folder / "file") ? "there" : "made";
      write_file(folder / "file", "x");
    });
    return found;
  });
  fs::remove_all(folder);
  EXPECT_THAT(said, ElementsAre("made", "there"));
}

TEST(SharedWork, WhatIsSoInOneOfThemIsKnownToAll) {
  EXPECT_THAT(in_processes(3,
                           [](ProcessGroup& group) {
                             const bool any = any_of_them(group, group.rank() == 2), none = any_of_them(group, false);
                             return fmt::format("{} {}", any, none);
                           }),
              Each("true false"));
}

}  // namespace
}  // namespace rgm::test
