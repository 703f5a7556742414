// started_processes.cpp - fork, exec, a pipe for last words, and a thread that waits for ends.
#include "cli/started_processes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"

namespace rgm::cli {
namespace {

constexpr const char* variable = "REGIMEN_PROCESS";
// How long this process may take to notice, between two steps, that another one has failed.
constexpr std::chrono::seconds patience_with_itself(2);

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// Only what a signal handler may call, too: another thread may hold a lock of the heap.
[[noreturn]] void be_another(pid_t starter, int words, char** arguments, char** environment) {
  const auto fail = [&](const char* text) {
    static_cast<void>(!::write(words, text, std::strlen(text)));
    ::_exit(1);
  };
  // Whatever ends the one that started it ends this one; it may have ended already.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != starter) ::_exit(1);
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0) fail("/dev/null cannot be opened");
  ::fcntl(words, F_SETFD, 0);
  ::execve("/proc/self/exe", arguments, environment);
  fail("this program cannot be started once more");
  ::_exit(1);
}

}  // namespace

std::optional<StartedAs> started_as() {
  const char* const given = std::getenv(variable);
  if (!given) return std::nullopt;
  StartedAs self;
  std::istringstream parts{std::string(given)};
  parts >> self.place.rank >> self.place.size >> self.words >> self.place.name;
  ::unsetenv(variable);
  require(parts && self.place.rank < self.place.size && ::fcntl(self.words, F_SETFD, FD_CLOEXEC) == 0,
          "${} is what this program says to the processes that it starts itself: unset it", variable);
  log::fall_silent();
  return self;
}

int tell_starter(const StartedAs& self, const std::exception_ptr& thrown) {
  const Ending ending = ending_of(thrown);
  try {
    std::rethrow_exception(thrown);
  } catch (const OtherProcessFailed&) {
    return ending.status;
  } catch (...) {
    static_cast<void>(!::write(self.words, ending.text.data(), ending.text.size()));
  }
  return ending.status;
}

StartedProcesses::StartedProcesses(const JoinedProcesses::Place& own, const std::vector<std::string>& arguments)
    : own_(own) {
  try {
    for (uint32_t rank = 1; rank < own.size; ++rank) start(rank, arguments);
  } catch (...) {
    for (const Child& child : children_) ::kill(child.process, SIGKILL);
    throw;
  }
  there_ = children_.size();
  watch_ = std::thread([this] { watch(); });
}

StartedProcesses::~StartedProcesses() {
  expect_ends();
  await_ends(std::chrono::seconds(1));
  watch_.join();
  for (const Child& child : children_) ::close(child.words);
}

void StartedProcesses::start(uint32_t rank, const std::vector<std::string>& arguments) {
  int words[2];
  if (::pipe2(words, O_CLOEXEC) != 0) failure("process {} cannot be started: {}", rank, std::strerror(errno));
  std::vector<std::string> line{"regimen", "run"}, surroundings;
  line.insert(line.end(), arguments.begin(), arguments.end());
  for (char** one = environ; *one; ++one) surroundings.emplace_back(*one);
  surroundings.push_back(fmt::format("{}={} {} {} {}", variable, rank, own_.size, words[1], own_.name));
  const std::vector<char*> argv = pointers_to(line), envp = pointers_to(surroundings);
  const pid_t self = ::getpid(), child = ::fork();
  if (child == 0) be_another(self, words[1], const_cast<char**>(argv.data()), const_cast<char**>(envp.data()));
  const int error = errno;
  ::close(words[1]);
  if (child < 0) {
    ::close(words[0]);
    failure("process {} of {} cannot be started: {}; let fewer processes run", rank, own_.size, std::strerror(error));
  }
  ::fcntl(words[0], F_SETFL, O_NONBLOCK);
  children_.push_back({rank, child, words[0]});
}

void StartedProcesses::watch() {
  for (;;) {
    std::vector<pollfd> ends;
    for (const Child& child : children_)
      if (child.is_there) ends.push_back({child.words, POLLIN, 0});
    // An end closes its pipe, unless something that it started holds that open; a moment later it can be waited for.
    if (::poll(ends.data(), ends.size(), 100) > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (Child& child : children_)
      if (child.is_there) look_after(child);
    const std::lock_guard lock(mutex_);
    if (there_ == 0 && (expected_ || !has_failed())) return;
    if (has_failed() && !expected_ && std::chrono::steady_clock::now() - first_at_ > patience_with_itself) {
      complain(first_->text);
      ::_exit(first_->status);
    }
  }
}

bool StartedProcesses::has_failed() const {
  return first_ && first_->status != 0 && first_->status != interrupt_status();
}

void StartedProcesses::look_after(Child& child) {
  const std::lock_guard lock(mutex_);
  char piece[4096];
  int status = 0;
  const pid_t waited = ::waitpid(child.process, &status, WNOHANG);
  const bool is_lost = waited < 0 && errno == ECHILD;  // where SIGCHLD is ignored, nobody learns how it ended
  const bool ended = waited == child.process || (is_lost && ::kill(child.process, 0) != 0);
  if (is_lost) status = W_EXITCODE(1, 0);
  for (ssize_t n; (n = ::read(child.words, piece, sizeof piece)) > 0;) child.said.append(piece, static_cast<size_t>(n));
  if (!ended) return;
  child.is_there = false;
  --there_;
  if (!expected_ && !first_) {
    first_ = ending_of(child, status);
    first_at_ = std::chrono::steady_clock::now();
    if (has_failed() && abort_) abort_(first_->text);
    if (has_failed() && !abort_) {  // this one waits for it to join, and would for long
      complain(first_->text);
      ::_exit(first_->status);
    }
  }
  changed_.notify_all();
}

Ending StartedProcesses::ending_of(const Child& child, int status) const {
  const std::string who = fmt::format("process {} of {}", child.rank, own_.size);
  const char* const next = "the last checkpoint stands, and the same command continues from there";
  if (!child.said.empty()) return {fmt::format("{}: {}", who, child.said), WIFEXITED(status) ? WEXITSTATUS(status) : 1};
  if (WIFSIGNALED(status))
    return {fmt::format("{} was ended by signal {} ({}){}: the others end, too; {}", who, WTERMSIG(status),
                        ::strsignal(WTERMSIG(status)),
                        WTERMSIG(status) == SIGKILL ? ", as the system does where memory runs out" : "", next),
            1};
  return {fmt::format("{} ended with status {} before the others: {}", who, WEXITSTATUS(status), next),
          WEXITSTATUS(status)};
}

void StartedProcesses::call_when_one_fails(std::function<void(const std::string& text)> abort) {
  const std::lock_guard lock(mutex_);
  abort_ = std::move(abort);
  if (has_failed()) abort_(first_->text);
}

std::optional<Ending> StartedProcesses::first_end() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(2), [&] { return first_.has_value(); });
  return first_;
}

void StartedProcesses::expect_ends() {
  const std::lock_guard lock(mutex_);
  expected_ = true;
}

void StartedProcesses::await_ends(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, patience, [&] { return there_ == 0; })) return;
  for (const Child& child : children_)
    if (child.is_there) ::kill(child.process, SIGKILL);
}

}  // namespace rgm::cli
