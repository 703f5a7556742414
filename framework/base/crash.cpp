// crash.cpp - handlers that use nothing but memory set aside before: the heap may be what is broken.
#include "base/crash.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace rgm {
namespace {

struct Fatal {
  int signal;
  std::string_view name;
};
constexpr std::array<Fatal, 5> fatal{{{SIGSEGV, "segmentation fault"},
                                      {SIGBUS, "bus error: perhaps a file that it maps was cut short"},
                                      {SIGFPE, "arithmetic error"},
                                      {SIGILL, "illegal instruction"},
                                      {SIGABRT, "aborted"}}};

std::array<char, 512> note{};
volatile sig_atomic_t note_size = 0;

std::string_view plugin, function;

void say(std::string_view text) { [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size()); }

void say_where() {
  if (!plugin.empty()) {
    say("It was in ");
    say(plugin);
    say(": ");
    say(function);
    say(", or in something it called.\n");
  }
  say({note.data(), static_cast<size_t>(note_size)});
}

void last_words(int signal) {
  say("\nregimen crashed (");
  for (const Fatal& f : fatal)
    if (f.signal == signal) say(f.name);
  say("): a bug in the program, a plug-in or a library, or too little memory.\n");
  say_where();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

pid_t meant = 0;  // whose end is told; 0: nobody's

void end_was_not_meant() {
  if (meant != ::getpid()) return;
  say("\nregimen was ended by exit(), which a plug-in or a library called but must not: its author has to correct "
      "it.\n");
  say_where();
  ::_exit(1);
}

}  // namespace

void tell_exits() {
  meant = ::getpid();
  std::atexit(end_was_not_meant);
}
void ends_by_itself() { meant = 0; }

PluginRuns::PluginRuns(std::string_view name, std::string_view of_its)
    : name_before_(std::exchange(plugin, name)), function_before_(std::exchange(function, of_its)) {}
PluginRuns::~PluginRuns() {
  plugin = name_before_;
  function = function_before_;
}

void tell_crashes() {
  static std::array<std::byte, 65536> stack;  // the crash may be that the stack is at its end
  const stack_t aside{.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  ::sigaltstack(&aside, nullptr);
  for (const Fatal& f : fatal) {
    struct sigaction now {};
    if (::sigaction(f.signal, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) continue;
    now.sa_handler = last_words;
    now.sa_flags = SA_ONSTACK | SA_RESETHAND;
    ::sigaction(f.signal, &now, nullptr);
  }
}

void set_crash_note(std::string_view text) {
  note_size = 0;
  const size_t n = std::min(text.size(), note.size() - 1);
  std::memcpy(note.data(), text.data(), n);
  note[n] = '\n';
  note_size = static_cast<sig_atomic_t>(n + 1);
}

}  // namespace rgm
