// interrupt.cpp - a thread of its own waits for the signals, and nobody else sees them: a handler would run on the
// stack of whatever thread is at work, and generated kernels keep data below its end.
#include "base/interrupt.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string>
#include <string_view>
#include <thread>

namespace rgm {
namespace {

std::atomic<bool> asked{false};

void say(std::string_view text) { [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size()); }

void wait_for(sigset_t signals, const std::string& what_follows) {
  for (int signal = 0; sigwait(&signals, &signal) == 0;) {
    // The shell and the system both tell of a closed terminal: only what somebody sends twice is meant twice.
    if (asked.exchange(true)) {
      if (signal == SIGHUP) continue;
      _exit(interrupt_status());
    }
    say("\nstopping: " + what_follows + "; a second Ctrl-C ends at once\n");
  }
}

}  // namespace

void catch_interrupts(std::string_view what_follows) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  struct sigaction hangup {};
  const bool goes_on = ::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler == SIG_IGN;  // under nohup
  if (!goes_on) sigaddset(&signals, SIGHUP);
  std::signal(SIGPIPE, SIG_IGN);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads that are made later inherit it
  std::thread(wait_for, signals, std::string(what_follows)).detach();
}
bool interrupted() { return asked; }
int interrupt_status() { return 130; }

}  // namespace rgm
