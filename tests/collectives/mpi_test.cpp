// mpi_test.cpp - two processes that MPI's launcher starts: this program once more.
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "collectives/group.hpp"

namespace rgm::collectives {
namespace {

bool is_under_mpi() { return std::getenv("REGIMEN_TEST_UNDER_MPI") != nullptr; }

// Why there is nothing to try; empty: there is.
std::string why_not() {
  if (!std::filesystem::exists(REGIMEN_PLUGIN_DIRECTORY "/mpi.so")) return "the plug-in was built without MPI";
  if (table_of("mpi").usable() != RGM_OK) return last_failure();
  return std::system("mpiexec --version >/dev/null 2>&1") == 0 ? "" : "there is no mpiexec";
}

// What each of the two does; MPI starts only once in a process.
void sum_and_gather() {
  const Member member(table_of("mpi"), 0, 0, "");
  const rgm_group_info info = member.info();
  ASSERT_EQ(info.size, 2U);
  EXPECT_EQ(info.rank_here, info.rank);
  EXPECT_EQ(info.size_here, 2U);
  std::vector<float> few = info.rank == 0 ? std::vector<float>{1, 2, 3} : std::vector<float>{10, 20, 30};
  member.sum(few);
  EXPECT_THAT(few, testing::ElementsAre(11, 22, 33));
  for (const size_t n : {0, 1, 17, 1048576, 2500001}) {  // a piece is 1048576 floats
    std::vector<float> x(n);
    for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i % 1000) + static_cast<float>(info.rank);
    member.sum(x);
    size_t wrong = 0;
    for (size_t i = 0; i < n; ++i) wrong += x[i] != 2 * static_cast<float>(i % 1000) + 1;
    EXPECT_EQ(wrong, 0U) << n;
  }
  EXPECT_EQ(member.gather(info.rank == 0 ? "abc" : "xyz"), "abcxyz");
  EXPECT_EQ(member.gather(""), "");
  member.wait();
}

TEST(Mpi, TwoProcessesOfALauncherSumAndGather) {
  if (is_under_mpi()) return sum_and_gather();
  if (const std::string reason = why_not(); !reason.empty()) GTEST_SKIP() << reason;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  // As root, Open MPI wants to be told twice; others do not know the words.
  const std::string command =
      "REGIMEN_TEST_UNDER_MPI=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
      "OMPI_MCA_rmaps_base_oversubscribe=1 timeout 60 mpiexec -n 2 '" +
      self + "' --gtest_filter=Mpi.* >/tmp/regimen-mpi-" + std::to_string(::getpid()) + " 2>&1";
  const int status = std::system(command.c_str());
  const std::string log = "/tmp/regimen-mpi-" + std::to_string(::getpid());
  if (status != 0) static_cast<void>(!std::system(("cat " + log).c_str()));
  std::filesystem::remove(log);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace rgm::collectives
