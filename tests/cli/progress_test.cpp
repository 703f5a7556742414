// progress_test.cpp - the line that is rewritten in place, on a terminal of the test's own.
#include <gmock/gmock.h>
#include <pty.h>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

TEST_F(TinyRun, TheProgressLineIsNoWiderThanTheTerminal) {
  write("p.yaml", tiny(3, "    log: {every: 1}\n"));
  winsize size{.ws_row = 24, .ws_col = 24, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    if (::chdir(folder_.c_str()) != 0) ::_exit(99);
    ::execl(REGIMEN_PROGRAM, "regimen", "run", "p.yaml", nullptr);
    ::_exit(99);
  }
  std::string said;
  char piece[4096];
  for (ssize_t n; (n = ::read(terminal, piece, sizeof piece)) > 0;) said.append(piece, static_cast<size_t>(n));
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(terminal);
  EXPECT_EQ(WEXITSTATUS(status), 0) << said;
  // "base: step 2/3  loss 3.2…" of "base: step 2/3  loss 3.2123  9,000 tokens/s  0 s left"
  const std::string again = "\r\x1b[K";
  int lines = 0;
  for (size_t at = said.find(again + "base: step"); at != said.npos; at = said.find(again + "base: step", at + 1)) {
    const size_t begin = at + again.size(), end = said.find('\r', begin);
    EXPECT_LE(end - begin, 23U) << said.substr(begin, end - begin);
    ++lines;
  }
  EXPECT_EQ(lines, 3) << said;
}

}  // namespace
}  // namespace rgm
