// processes_test.cpp - several processes of one run: what is said once, and what becomes of the others when one ends.
#include <algorithm>
#include <chrono>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ProcessesOfARun : public TinyRun {
 protected:
  void SetUp() override { write("p.yaml", tiny(3)); }

  static size_t times(const std::string& text, const std::string& what) {
    size_t n = 0;
    for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size()) ++n;
    return n;
  }
  // Those that `process` has started, once there are any.
  static std::vector<pid_t> started_by(pid_t process) {
    const fs::path list = fmt::format("/proc/{}/task/{}/children", process, process);
    for (int i = 0; i < 5000; ++i) {
      std::ifstream file(list);
      std::vector<pid_t> out;
      for (pid_t one; file >> one;) out.push_back(one);
      if (!out.empty()) return out;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << "it starts no other process";
    return {};
  }
  // Within two seconds; one that nobody waits for is as good as gone.
  static bool is_gone(pid_t process) {
    for (int i = 0; i < 2000; ++i) {
      std::ifstream file(fmt::format("/proc/{}/stat", process));
      std::string number, name, state;
      if (!(file >> number >> name >> state) || state == "Z" || state == "X") return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  // A run of two processes whose first checkpoint is there.
  pid_t start_two() const {
    write("p.yaml", "processes: 2\n" + tiny(1000000, "    checkpoint: {every: 1}\n    log: {every: 1000}\n"));
    const pid_t run = start("out");
    int status = 0;
    while (!fs::exists(folder_ / "out/base/checkpoint") && ::waitpid(run, &status, WNOHANG) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return run;
  }
  static int end_of(pid_t run) {
    int status = 0;
    ::waitpid(run, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
};

TEST_F(ProcessesOfARun, SayEverythingOnce) {
  const Said said = regimen("run p.yaml --processes 2");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(times(said.err, "2 processes, joined by shared_memory\n"), 1U) << said.err;
  EXPECT_EQ(times(said.err, "2 processes: each has reference on reference, one thread\n"), 1U) << said.err;
  EXPECT_EQ(times(said.err, "stage base: done"), 1U) << said.err;
}

TEST_F(ProcessesOfARun, AMistakeInTheFileIsToldBeforeAnyIsStarted) {
  const Said said = regimen("run p.yaml --processes 2 --set stages.base.steps=none");
  EXPECT_EQ(said.status, 2);
  EXPECT_EQ(times(said.err, "\n"), 1U) << said.err;
}

TEST_F(ProcessesOfARun, OneAboveTheFirstTellsItsStarterWhatItFailsWith) {
  const Said said = rgm::regimen("run p.yaml --set stages.base.steps=none 3>words",
                                 in_folder() + "REGIMEN_PROCESS='1 2 3 some-place'");
  EXPECT_EQ(said.status, 2);
  EXPECT_EQ(said.err, "");
  EXPECT_THAT(read_file(folder_ / "words"), HasSubstr("\"steps\" should be a whole number"));
}

TEST_F(ProcessesOfARun, WhenOneIsKilledTheOthersEndWithOneMessage) {
  const pid_t run = start_two();
  const std::vector<pid_t> others = started_by(run);
  ASSERT_EQ(others.size(), 1U);
  ::kill(others[0], SIGKILL);
  EXPECT_EQ(end_of(run), 1);
  const std::string said = read_file(folder_ / "err.log");
  EXPECT_EQ(times(said, "process 1 of 2 was ended by signal 9 (Killed)"), 1U) << said;
  EXPECT_EQ(times(said, "process 1 of 2"), 1U) << said;
  EXPECT_THAT(said, HasSubstr("the last checkpoint stands, and the same command continues from there\n"));
}

TEST_F(ProcessesOfARun, WhenTheFirstIsKilledNoneStaysBehind) {
  const pid_t run = start_two();
  const std::vector<pid_t> others = started_by(run);
  ::kill(run, SIGKILL);
  EXPECT_EQ(end_of(run), -SIGKILL);
  EXPECT_TRUE(std::all_of(others.begin(), others.end(), is_gone));
}

TEST_F(ProcessesOfARun, StopWithACheckpointWhenTheFirstIsAskedTo) {
  const pid_t run = start_two();
  const std::vector<pid_t> others = started_by(run);
  ::kill(run, SIGTERM);
  EXPECT_EQ(end_of(run), 130);
  EXPECT_TRUE(std::all_of(others.begin(), others.end(), is_gone));
  const std::string said = read_file(folder_ / "err.log");
  EXPECT_EQ(times(said, "stopping: "), 1U) << said;
  EXPECT_EQ(times(said, "the same command continues from there"), 1U) << said;
}

TEST_F(ProcessesOfARun, ArePlanned) {
  const Said said = regimen("plan p.yaml --processes 2");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.out, AllOf(HasSubstr("pipeline tiny, 2 processes, each with a copy of the model\n"),
                              HasSubstr("    processes                             2\n")));
  EXPECT_THAT(regimen("plan p.yaml").out, Not(HasSubstr("processes")));
}

TEST_F(ProcessesOfARun, ComeFromALauncherWhereItsCollectiveIsNamed) {
  if (regimen("plugins mpi").out.find("usable   yes") == std::string::npos ||
      std::system("mpiexec --version >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "there is no MPI";
  EXPECT_THAT(regimen("run p.yaml --collective mpi").err,
              HasSubstr("collective mpi: the launcher started one process"));
  const std::string mpiexec = in_folder() +
                              "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
                              "OMPI_MCA_rmaps_base_oversubscribe=1 timeout 60 mpiexec -n 2";
  const Said said = rgm::regimen("run p.yaml --collective mpi --force", mpiexec);
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(times(said.err, "2 processes: each has reference on reference, one thread\n"), 1U) << said.err;
  EXPECT_EQ(times(said.err, "stage base: done"), 1U) << said.err;
  const Said wrong = rgm::regimen("run p.yaml --collective mpi --set stages.base.steps=none", mpiexec);
  EXPECT_EQ(wrong.status, 2) << wrong.err;
  EXPECT_EQ(times(wrong.err, "should be a whole number"), 1U) << wrong.err;
}

TEST_F(ProcessesOfARun, TheirCollectivesAreListedAndSound) {
  EXPECT_THAT(regimen("plugins shared_memory").out, HasSubstr("collective shared_memory "));
  const Said said = rgm::regimen("plugins check " REGIMEN_PLUGIN_DIRECTORY "/shared_memory.so");
  EXPECT_EQ(said.status, 0) << said.out;
  EXPECT_THAT(said.out, AllOf(HasSubstr("group      ok"), HasSubstr("ends       ok")));
}

}  // namespace
}  // namespace rgm
