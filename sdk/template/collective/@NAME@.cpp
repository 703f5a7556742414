// @NAME@.cpp - a collective of processes on one machine: process 0 is the hub, which the others reach over sockets. It
// adds up what they send, in order of rank, and sends the sums back: everyone has the same bits. Over another network
// only the sockets change; for many processes, let each of them add up a slice.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <regimen/regimen.hpp>
#include <string>
#include <thread>
#include <vector>
using namespace regimen;

namespace {

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Socket& operator=(Socket&& o) noexcept { return std::swap(fd_, o.fd_), *this; }
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& text) { throw Error(RGM_DEVICE_ERROR, text); }

// What joins two processes: values on one socket; on the other, the text of an abort, or the end of a process.
struct Link {
  Socket data, words;
};

class @CLASS@ {
 public:
  using Options = NoOptions;
  static constexpr uint32_t flags = RGM_STARTED_BY_HOST;
  static constexpr int32_t score = 10;  // `processes: N` alone takes the usable one with the highest
  static void usable() {}               // throws the reason where it cannot be used

  @CLASS@(const Options&, const Joining& joining) : rank_(joining.rank), size_(joining.size) {
    links_.resize(size_);  // the hub has one to each other process, those have one to the hub, 0
    if (rank_ == 0)
      welcome(joining.place);
    else
      links_[0] = {knock(joining.place, 'd'), knock(joining.place, 'w')};
    wait();
  }

  Ranks info() const { return {rank_, size_, rank_, size_}; }

  void sum(std::span<float> values) {
    const auto bytes = std::as_writable_bytes(values);
    if (rank_ > 0) return send(0, bytes), receive(0, bytes);
    std::vector<float> piece(std::min<size_t>(values.size(), 1 << 16));
    for (uint32_t r = 1; r < size_; ++r)
      for (size_t at = 0; at < values.size(); at += piece.size()) {
        const std::span<float> theirs(piece.data(), std::min(piece.size(), values.size() - at));
        receive(r, std::as_writable_bytes(theirs));
        for (size_t i = 0; i < theirs.size(); ++i) values[at + i] += theirs[i];
      }
    for (uint32_t r = 1; r < size_; ++r) send(r, bytes);
  }

  void gather(std::span<const std::byte> mine, std::byte* all) {
    const std::span<std::byte> whole(all, size_ * mine.size());
    if (rank_ > 0) return send(0, mine), receive(0, whole);
    std::copy(mine.begin(), mine.end(), all);
    for (uint32_t r = 1; r < size_; ++r) receive(r, whole.subspan(r * mine.size(), mine.size()));
    for (uint32_t r = 1; r < size_; ++r) send(r, whole);
  }

  void wait() {
    const std::byte here{};
    std::vector<std::byte> all(size_);
    gather({&here, 1}, all.data());
  }

  // On any thread: tells the others, and wakes the thread of this process that waits for them.
  void abort(std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (!aborted_.empty()) return;
    aborted_ = text;
    for (const Link& link : links_) {
      if (link.words.fd() < 0) continue;
      static_cast<void>(!::send(link.words.fd(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
      ::shutdown(link.data.fd(), SHUT_RDWR);
    }
  }

 private:
  // A name that begins with 0 is in no file system, and gone with its socket.
  static std::pair<sockaddr_un, socklen_t> address(std::string_view place) {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    const std::string name = "@NAME@-" + std::string(place);
    require(name.size() < sizeof out.sun_path, "the place of the processes has too long a name");
    std::memcpy(out.sun_path + 1, name.data(), name.size());
    return {out, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())};
  }
  static Socket made() {
    Socket out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (out.fd() < 0) fail("a socket cannot be made");
    return out;
  }

  // The others may come first, and try until the hub is there.
  Socket knock(std::string_view place, char kind) const {
    const auto [to, length] = address(place);
    for (int attempt = 0; attempt < 6000; ++attempt) {
      Socket out = made();
      if (::connect(out.fd(), reinterpret_cast<const sockaddr*>(&to), length) == 0) {
        const uint32_t hello[] = {rank_, static_cast<uint32_t>(kind)};
        if (::send(out.fd(), hello, sizeof hello, MSG_NOSIGNAL) == sizeof hello) return out;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    fail("process 0 did not come within a minute");
  }

  void welcome(std::string_view place) {
    const auto [at, length] = address(place);
    const Socket door = made();
    if (::bind(door.fd(), reinterpret_cast<const sockaddr*>(&at), length) != 0 || ::listen(door.fd(), 64) != 0)
      fail("no socket can be opened for the other processes");
    for (uint32_t missing = 2 * (size_ - 1); missing > 0;) {
      pollfd ready{door.fd(), POLLIN, 0};
      if (::poll(&ready, 1, 60'000) == 0) fail("a process did not come within a minute");
      Socket came(::accept4(door.fd(), nullptr, nullptr, SOCK_CLOEXEC));
      ucred who{};  // whoever knows the name may knock: only the same user is let in
      socklen_t of_who = sizeof who;
      uint32_t hello[2];
      if (::getsockopt(came.fd(), SOL_SOCKET, SO_PEERCRED, &who, &of_who) != 0 || who.uid != ::geteuid() ||
          ::recv(came.fd(), hello, sizeof hello, MSG_WAITALL) != sizeof hello || hello[0] == 0 || hello[0] >= size_)
        continue;
      (hello[1] == 'd' ? links_[hello[0]].data : links_[hello[0]].words) = std::move(came);
      --missing;
    }
  }

  void send(uint32_t to, std::span<const std::byte> bytes) {  // they are about to receive, or have failed
    while (!bytes.empty()) {
      const ssize_t n = ::send(links_[to].data.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) give_up(to);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
  }

  // Meanwhile any of the others may end: its socket for words says so. What has arrived counts first.
  void receive(uint32_t from, std::span<std::byte> bytes) {
    while (!bytes.empty()) {
      std::vector<pollfd> ends{{links_[from].data.fd(), POLLIN, 0}};
      for (const Link& link : links_) ends.push_back({link.words.fd(), POLLIN, 0});  // -1 is passed over
      if (::poll(ends.data(), ends.size(), -1) < 0) continue;
      if (ends[0].revents == 0) {
        for (uint32_t r = 0; r < size_; ++r)
          if (ends[r + 1].revents != 0) give_up(r);
        continue;
      }
      const ssize_t n = ::recv(links_[from].data.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n <= 0) give_up(from);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
  }

  // The text of the abort that ended it, and otherwise who is gone; the others fail with the same.
  [[noreturn]] void give_up(uint32_t other) {
    char said[1024];
    const ssize_t n = ::recv(links_[other].words.fd(), said, sizeof said, MSG_DONTWAIT);
    abort(n > 0 ? std::string(said, static_cast<size_t>(n))
                : "process " + std::to_string(other) + " of " + std::to_string(size_) + " is gone");
    const std::lock_guard lock(mutex_);
    fail(aborted_);
  }

  uint32_t rank_, size_;
  std::vector<Link> links_;
  std::mutex mutex_;
  std::string aborted_;  // why; empty: it goes on
};

constexpr rgm_component component =
    collective<@CLASS@>("@NAME@", "0.1.0", "Processes of one machine, through sockets and a hub");

}  // namespace

RGM_PLUGIN("@NAME@", "0.1.0", "", &component);
