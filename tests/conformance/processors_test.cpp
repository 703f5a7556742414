// processors_test.cpp - how many processors control groups leave, read from folders as the system has them.
#if __has_include("backends/onednn/processors.hpp")  // a plug-in's folder may be taken away
#include "backends/onednn/processors.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>

namespace regimen::onednn {
namespace {

namespace fs = std::filesystem;

class Processors : public ::testing::Test {
 protected:
  Processors() { fs::remove_all(root_); }
  ~Processors() override { fs::remove_all(root_); }
  void write(const fs::path& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text << '\n';
  }
  int64_t left(const std::string& lines) {
    std::istringstream in(lines);
    return processors_left(in, root_);
  }

  const fs::path root_ = fs::temp_directory_path() / ("regimen-processors-" + std::to_string(::getpid()));
};

TEST_F(Processors, AQuotaOfOneAndAHalfIsTwo) {
  write("box/cpu.max", "150000 100000");
  EXPECT_EQ(left("0::/box\n"), 2);
}
TEST_F(Processors, WhatIsAboveAGroupHoldsForItToo) {
  write("cpu.max", "400000 100000");
  write("box/cpu.max", "max 100000");
  write("box/job/cpu.max", "600000 100000");
  EXPECT_EQ(left("0::/box/job\n"), 4);
}
TEST_F(Processors, NobodySaysAnythingOfAGroupWithoutAQuota) {
  write("cpu.max", "max 100000");
  EXPECT_EQ(left("0::/box\n"), INT64_MAX);
  EXPECT_EQ(left("0::/\n"), INT64_MAX);
  EXPECT_EQ(left(""), INT64_MAX);
}
TEST_F(Processors, OfVersionOneTheTreeOfCpuCounts) {
  write("cpu/box/cpu.cfs_quota_us", "300000");
  write("cpu/box/cpu.cfs_period_us", "100000");
  write("cpu/cpu.cfs_quota_us", "-1");
  write("cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(left("5:cpuset:/\n4:cpu,cpuacct:/box\n0::/\n"), 3);
  EXPECT_EQ(left("4:cpu:/\n2:cpuacct:/box\n"), INT64_MAX);
}

}  // namespace
}  // namespace regimen::onednn
#endif
