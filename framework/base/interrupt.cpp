// interrupt.cpp - a thread of its own waits for the signals, and nobody else sees them: a handler would run on the
// stack of whatever thread is at work, and generated kernels keep data below its end.
#include "base/interrupt.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.hpp"

namespace rgm {
namespace {

std::atomic<bool> asked{false};

void tell(std::string_view text) {
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
}

std::mutex mutex;
std::vector<std::filesystem::path> folders;
std::string what_follows;

[[noreturn]] void end_now() {
  const std::lock_guard lock(mutex);
  std::error_code ignored;
  for (const auto& folder : folders) std::filesystem::remove_all(folder, ignored);
  _exit(interrupt_status());
}

// Waits on a thread of its own for what is blocked from now on: `first` is called at the first one.
template <class First>
void wait_for_signals(std::chrono::milliseconds same, First first) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  struct sigaction hangup {};
  const bool goes_on = ::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler == SIG_IGN;  // under nohup
  if (!goes_on) sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads that are made later inherit it
  std::thread([signals, same, first] {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) return;
    const auto came = std::chrono::steady_clock::now();
    first();
    // The shell and the system both tell of a closed terminal: only what somebody sends twice is meant twice.
    while (sigwait(&signals, &signal) == 0)
      if (signal != SIGHUP && std::chrono::steady_clock::now() - came >= same) end_now();
  }).detach();
}

}  // namespace

void catch_interrupts(std::string_view text, std::chrono::milliseconds same) {
  what_follows = text;
  std::signal(SIGPIPE, SIG_IGN);
  wait_for_signals(same, [] {
    const std::lock_guard lock(mutex);
    asked = true;
    if (!log::is_silent()) tell("\nstopping: " + what_follows + "; a second Ctrl-C ends at once\n");
  });
}
WhatFollows::WhatFollows(std::string text) {
  const std::lock_guard lock(mutex);
  before_ = std::exchange(what_follows, std::move(text));
}
WhatFollows::~WhatFollows() {
  const std::lock_guard lock(mutex);
  what_follows = std::move(before_);
}
void end_at_interrupts() { wait_for_signals({}, end_now); }
void remove_when_interrupted(const std::filesystem::path& folder) {
  const std::lock_guard lock(mutex);
  folders.push_back(folder);
}
bool interrupted() { return asked; }
int interrupt_status() { return 130; }

}  // namespace rgm
