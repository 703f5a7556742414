// command.cpp - a reward that another program gives. It is started once and asked over its standard input, an object a
// line, {"prompt": …, "text": …, "expected": …}; it answers each with a line: a number, {"score": number}, or null
// where it has no opinion. What takes longer than `timeout` is ended with its processes, and so is the stage: the last
// checkpoint stays, and nothing is scored by guessing.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <regimen/regimen.hpp>
using namespace regimen;
using nlohmann::json;

struct CommandOptions {
  std::optional<std::string_view> program;
  std::span<const rgm_str> arguments;
  double timeout = 30;

  using O = CommandOptions;
  static constexpr auto list =
      options(option("program", &O::program, "the program to ask").flag(RGM_REQUIRED | RGM_PATH),
              option("arguments", &O::arguments, "arguments of the program"),
              option("timeout", &O::timeout, "how many seconds one answer may take").range(0.01, 86400));
};

// The interpreter that a script's first line names; nothing of a program.
std::string interpreter_of(const std::string& program) {
  std::string line(256, '\0');
  std::ifstream(program, std::ios::binary).read(line.data(), std::streamsize(line.size()));
  line.resize(std::min(line.size(), line.find_first_of(std::string_view("\n\0", 2))));
  const size_t begin = line.starts_with("#!") ? line.find_first_not_of(" \t", 2) : std::string::npos;
  return begin == std::string::npos ? "" : line.substr(begin, line.find_first_of(" \t", begin) - begin);
}

// What would keep the program from starting, told before anything is trained. One that is not there is met when it is
// asked.
void check_program(const std::string& program) {
  struct stat file {};
  if (stat(program.c_str(), &file) != 0) return;
  require(S_ISREG(file.st_mode), "command: " + program + " is not a file; name the program itself");
  require(access(program.c_str(), X_OK) == 0,
          "command: " + program + " cannot be run: it is not executable; chmod +x it, and begin a script with #!");
  const std::string interpreter = interpreter_of(program);
  const bool ends_a_line = interpreter.ends_with('\r');
  require(interpreter.empty() || access(interpreter.c_str(), X_OK) == 0,
          "command: " + program + " cannot be run: its first line names " + interpreter.substr(0, 80) +
              ", which cannot be executed here; " +
              (ends_a_line ? "take the carriage returns out of the file" : "install that, or correct the line"));
}

class Command {
 public:
  using Options = CommandOptions;
  static constexpr rgm_column columns[] = {column::text("expected", RGM_OPTIONAL)};

  explicit Command(const Options& o) : o_(o) { check_program(std::string(*o_.program)); }
  ~Command() { stop(); }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  float score(const Completion& c) {
    if (process_ == 0) start();
    json question{{"prompt", c.prompt()}, {"text", c.text()}};
    if (c.has(0)) question["expected"] = c.text(0);
    refuse_more();
    send(question.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
    const std::string line = answer();
    json said = json::parse(line, nullptr, false);
    if (said.is_object()) said = said.value("score", json("no score"));
    if (said.is_null()) return std::nanf("");
    if (!said.is_number())
      fail("answered \"" + line.substr(0, 80) + "\", a line such as 0.5 or {\"score\": 0.5} was expected");
    return said.get<float>();
  }

 private:
  using Clock = std::chrono::steady_clock;

  // One socket is its input and output: unlike a pipe, writing to a program that has ended is no signal.
  void start() {
    int ends[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "command: no socket for the program");
    std::vector<std::string> words{std::string(*o_.program)};
    for (const rgm_str& a : o_.arguments) words.emplace_back(view(a));
    std::vector<char*> raw;
    raw.reserve(words.size() + 1);
    for (std::string& word : words) raw.push_back(word.data());
    raw.push_back(nullptr);
    const int status = launch(raw.data(), ends[1]);
    close(ends[1]);
    socket_ = ends[0];
    if (status == 0) return;
    stop();
    throw Error(RGM_INVALID, "command: " + words[0] + " cannot be run: " + std::strerror(status) +
                                 "; make it executable, and begin a script with #!");
  }

  // 0, or why there is no process. Like posix_spawn, but for one thing that it cannot: the program ends with the host,
  // however that ends. With vfork the child borrows our memory, which may be most of the machine's, until it executes:
  // it makes system calls alone, and what it writes to `status` is seen here.
  int launch(char* const* words, int end) {
    const pid_t host = getpid();
    sigset_t none;
    sigemptyset(&none);
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    volatile int status = 0;
    const pid_t child = vfork();
    if (child == 0) {
      // A signal to the child when the thread that made it ends, which here is the host's main one.
      const bool bound = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == host;
      // A group of its own: what the program has started ends with it. Signals are as anew: the host keeps some back
      // for itself, and ignores one.
      if (bound && setpgid(0, 0) == 0 && dup2(end, STDIN_FILENO) >= 0 && dup2(end, STDOUT_FILENO) >= 0 &&
          fcntl(STDIN_FILENO, F_SETFD, 0) == 0 && fcntl(STDOUT_FILENO, F_SETFD, 0) == 0 &&
          sigaction(SIGPIPE, &usual, nullptr) == 0 && sigprocmask(SIG_SETMASK, &none, nullptr) == 0)
        execve(words[0], words, environ);
      status = errno;
      _exit(127);
    }
    if (child < 0) return errno;
    process_ = child;
    if (status == 0) return 0;
    waitpid(std::exchange(process_, 0), nullptr, 0);
    return status;
  }

  void stop() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
    rest_.clear();
    if (process_ == 0) return;
    kill(-process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }
  [[noreturn]] void fail(const std::string& what) {
    stop();
    throw Error(RGM_DEVICE_ERROR, "command: " + std::string(*o_.program) + " " + what);
  }

  void wait(short event, Clock::time_point until) {
    pollfd one{socket_, event, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0 || poll(&one, 1, int(left) + 1) == 0)
      fail("gave no answer within " + json(o_.timeout).dump() + " s; `timeout` gives it more");
  }
  Clock::time_point deadline() const {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(o_.timeout));
  }

  void send(std::string_view text) {
    for (const auto until = deadline(); !text.empty();) {
      wait(POLLOUT, until);
      const ssize_t n = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) text.remove_prefix(size_t(n));
      if (n < 0 && errno != EAGAIN && errno != EINTR) fail("ended before it had read the question");
    }
  }
  // What it has said unasked would be taken for an answer to the next question.
  void refuse_more() {
    char more[80];
    const ssize_t n = recv(socket_, more, sizeof more, MSG_DONTWAIT);
    if (n > 0) rest_.append(more, size_t(n));
    if (!rest_.empty())
      fail("said \"" + rest_.substr(0, 80) +
           "\" after its answer; one line was expected for each question, and anything else it prints belongs on "
           "standard error");
  }
  std::string answer() {
    const auto until = deadline();
    for (size_t end; (end = rest_.find('\n')) == std::string::npos;) {
      wait(POLLIN, until);
      char more[4096];
      const ssize_t n = recv(socket_, more, sizeof more, MSG_DONTWAIT);
      if (n > 0) rest_.append(more, size_t(n));
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) fail("ended without an answer");
    }
    const size_t end = rest_.find('\n');
    std::string line = rest_.substr(0, end);
    rest_.erase(0, end + 1);
    return line;
  }

  Options o_;
  pid_t process_ = 0;
  int socket_ = -1;
  std::string rest_;
};

constexpr rgm_component command = reward<Command>("command", "1.0.0", "Asks another program, in lines of JSON");
RGM_PLUGIN("command", "1.0.0", "", &command);
