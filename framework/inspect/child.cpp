// child.cpp - fork, a pipe, a time limit, and words for how a process ended.
#include "inspect/child.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "base/error.hpp"
#include "base/json.hpp"

namespace rgm::inspect {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void be_child(const std::function<void(const Pen&)>& body, int descriptor) {
  // A sanitizer, too, would report such a signal in its own way and end the process otherwise.
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) std::signal(signal, SIG_DFL);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // standard output is the report's
  const Pen pen(descriptor);
  try {
    body(pen);
    pen.write({{"done", true}});
  } catch (const std::exception& e) {
    pen.write({{"threw", e.what()}});
  } catch (...) {
    pen.write({{"threw", "an exception of an unknown kind"}});
  }
  ::_exit(0);  // destructors of what was loaded are not what is checked
}

// Everything that the child wrote; false when the time was up first.
bool read_all(int descriptor, Clock::time_point end, std::string& out) {
  char piece[4096];
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd wait{descriptor, POLLIN, 0};
    const int ready = left > 0 ? ::poll(&wait, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t n = ::read(descriptor, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return true;
    out.append(piece, static_cast<size_t>(n));
  }
}

}  // namespace

void Pen::write(const nlohmann::json& line) const {
  const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(descriptor_, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) return;  // nobody listens any more
    if (n > 0) done += static_cast<size_t>(n);
  }
}

Told in_child(const std::function<void(const Pen&)>& body, int seconds) {
  int ends[2];
  if (::pipe(ends) != 0) failure("a pipe cannot be created: {}", std::strerror(errno));
  const pid_t child = ::fork();
  if (child < 0) failure("a child process cannot be created: {}", std::strerror(errno));
  if (child == 0) {
    ::close(ends[0]);
    be_child(body, ends[1]);
  }
  ::close(ends[1]);
  std::string text;
  const bool in_time = read_all(ends[0], Clock::now() + std::chrono::seconds(seconds), text);
  ::close(ends[0]);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}

  Told told;
  std::string at, threw;
  bool done = false;
  for (size_t begin = 0, end = 0; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    const auto line = json_or_discarded(text.substr(begin, end - begin));
    if (line.contains("at"))
      at = line["at"];
    else if (line.contains("done"))
      done = true;
    else if (line.contains("threw"))
      threw = line["threw"];
    else if (line.is_object())
      told.lines.push_back(line);
  }
  const std::string in = at.empty() ? "" : " in " + at;
  if (!in_time)
    told.end = fmt::format("did not end within {} s{}", seconds, in);
  else if (WIFSIGNALED(status))
    told.end = fmt::format("crashed: signal {}{} ({})", WTERMSIG(status), in, ::strsignal(WTERMSIG(status)));
  else if (!threw.empty())
    told.end = fmt::format("failed{}: {}", in, threw);
  else if (!done)
    told.end = fmt::format("ended the process with status {}{}", WEXITSTATUS(status), in);
  return told;
}

}  // namespace rgm::inspect
