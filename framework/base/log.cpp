// log.cpp - messages on stderr, and the progress line that shares the terminal with them.
#include "base/log.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <string>

namespace rgm::log {
namespace {
std::atomic<Level> lowest{Level::info};
std::mutex mutex;
bool line_open = false;  // a progress line stands on the terminal, without its newline

void put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}
}  // namespace

Level set_level(Level level) { return lowest.exchange(level); }

bool is_terminal() {
  static const bool terminal = isatty(STDERR_FILENO) == 1;
  return terminal;
}

void write(Level level, std::string_view text) {
  if (level < lowest.load()) return;
  const std::lock_guard lock(mutex);
  std::string line = line_open ? "\r\x1b[K" : "";
  line_open = false;
  if (level == Level::warning) line += "warning: ";
  line += text;
  line += '\n';
  put(line);
}

void progress(std::string_view text) {
  if (lowest.load() > Level::info) return;
  const std::lock_guard lock(mutex);
  if (is_terminal()) {
    put("\r\x1b[K" + std::string(text));
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
