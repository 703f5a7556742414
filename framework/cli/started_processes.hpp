// started_processes.hpp - the other processes of a run on this machine: this program once more for each, watched, so
// that none of them stays behind and the end of one is the end of all.
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cli/ending.hpp"
#include "pipeline/processes.hpp"

namespace rgm::cli {

// One of them, as it sees itself.
struct StartedAs {
  JoinedProcesses::Place place;
  int words = -1;  // where it writes what it failed with: the process that started it tells people
};
// Nothing in a process that somebody typed. Asked once, before there are threads: what it starts must not find it.
std::optional<StartedAs> started_as();
// What it fails with, unless another process knows better; the exit status.
int tell_starter(const StartedAs& self, const std::exception_ptr& thrown);

class StartedProcesses {
 public:
  // `regimen run ARGUMENTS` for the ranks above 0.
  StartedProcesses(const JoinedProcesses::Place& own, const std::vector<std::string>& arguments);
  ~StartedProcesses();  // ends those that are still there, after a moment
  StartedProcesses(const StartedProcesses&) = delete;
  StartedProcesses& operator=(const StartedProcesses&) = delete;

  // From now on, when one of them fails, `abort` makes this process notice; until then the run ends at once.
  void call_when_one_fails(std::function<void(const std::string& text)> abort);
  // What the first one that ended did; waits a moment for one, as others may notice that it is gone before its end is
  // known here.
  std::optional<Ending> first_end();
  void expect_ends();  // it is no failure from now on that they end
  void await_ends(std::chrono::milliseconds patience);

 private:
  struct Child {
    uint32_t rank;
    int process, words;
    bool is_there = true;
    std::string said = {};
  };
  void start(uint32_t rank, const std::vector<std::string>& arguments);
  void watch();
  void look_after(Child& child);
  bool has_failed() const;  // one of them
  Ending ending_of(const Child& child, int status) const;

  JoinedProcesses::Place own_;
  std::vector<Child> children_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void(const std::string&)> abort_;
  std::optional<Ending> first_;
  std::chrono::steady_clock::time_point first_at_;
  bool expected_ = false;
  size_t there_ = 0;
  std::thread watch_;
};

}  // namespace rgm::cli
