// interrupt.cpp - the signal handlers.
#include "base/interrupt.hpp"

#include <unistd.h>

#include <csignal>

namespace rgm {
namespace {
volatile std::sig_atomic_t count = 0;
extern "C" void on_signal(int) {
  if (count > 0) _exit(130);
  count = 1;
  constexpr char text[] = "\nstopping: this step is finished and a checkpoint written; a second Ctrl-C ends at once\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, sizeof text - 1);
}
}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}
bool interrupted() { return count > 0; }
int interrupt_status() { return 130; }

}  // namespace rgm
