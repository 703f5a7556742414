// log.cpp - messages on stderr, and the progress line that shares the terminal with them.
#include "base/log.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace rgm::log {
namespace {
std::atomic<Level> lowest{Level::info}, lowest_of_work{Level::info};
std::mutex mutex;
std::optional<std::set<std::string>> written;  // within an EachOnce
std::atomic<bool> silent{false};
bool line_open = false;  // a progress line stands on the terminal, without its newline

void put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

// As wide as the terminal at most: a line that wraps cannot be rewritten in place.
std::string_view fitting(std::string_view text) {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || text.size() < size.ws_col) return text;
  size_t end = size.ws_col - 1U;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) --end;  // not within a character
  return text.substr(0, end);
}
}  // namespace

Levels set_levels(Levels levels) { return {lowest.exchange(levels.all), lowest_of_work.exchange(levels.work)}; }
Levels levels() { return {lowest.load(), lowest_of_work.load()}; }

void fall_silent() { silent = true; }
bool is_silent() { return silent; }

EachOnce::EachOnce() {
  const std::lock_guard lock(mutex);
  written.emplace();
}
EachOnce::~EachOnce() {
  const std::lock_guard lock(mutex);
  written.reset();
}

OfWork::OfWork() : before_(levels()) { set_levels({before_.work, before_.work}); }
OfWork::~OfWork() { set_levels(before_); }

bool is_terminal() {
  static const bool terminal = isatty(STDERR_FILENO) == 1;
  return terminal;
}

void write(Level level, std::string_view text) {
  if (level < lowest.load() || silent) return;
  const std::lock_guard lock(mutex);
  if (written && !written->emplace(text).second) return;
  std::string line = line_open ? "\r\x1b[K" : "";
  line_open = false;
  if (level == Level::warning) line += "warning: ";
  line += text;
  line += '\n';
  put(line);
}

void progress(std::string_view text) {
  if (lowest.load() > Level::info || silent) return;
  const std::lock_guard lock(mutex);
  if (is_terminal()) {
    put("\r\x1b[K" + std::string(fitting(text)));
    line_open = true;
  } else {
    put(std::string(text) + "\n");
  }
}

void end_progress() {
  const std::lock_guard lock(mutex);
  if (line_open) put("\n");
  line_open = false;
}

}  // namespace rgm::log
