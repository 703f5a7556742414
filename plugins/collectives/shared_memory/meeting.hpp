// meeting.hpp - how processes that know one name come to share memory which has none: rank 0 makes it and hands its
// descriptor to those who ask at a socket of that name. When the processes are gone, however they ended, so are both.
#pragma once
#include <regimen/collective.hpp>

#include <utility>

namespace regimen::shared_memory {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail_with_errno(const std::string& what);
// `bytes` of zeros, the same for every one of the `size` processes that call this with one `place`. Waits for them.
Descriptor meet(const Joining& joining, size_t bytes);
Descriptor make_memory(size_t bytes);

}  // namespace regimen::shared_memory
