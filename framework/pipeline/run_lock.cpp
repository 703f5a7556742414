// run_lock.cpp - flock on <run>/.lock, which holds the number of the process.
#include "pipeline/run_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace rgm {

RunLock::RunLock(const fs::path& folder) : folder_(fs::absolute(folder)) {
  const fs::path file = folder / ".lock";
  fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) invalid("{}: cannot be written: {}", file.string(), std::strerror(errno));
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (const int error = errno; error != EWOULDBLOCK) {
      ::close(fd_);
      invalid("{}: cannot be locked: {}; choose a folder on another file system with --out DIR", file.string(),
              std::strerror(error));
    }
    char holder[32] = "?";
    const ssize_t n = ::pread(fd_, holder, sizeof holder - 1, 0);
    if (n > 0) holder[n] = 0;
    ::close(fd_);
    invalid("{}: process {} is running in this folder; wait for it, or choose another folder with --out DIR",
            folder.string(), holder);
  }
  const std::string me = fmt::format("{}", ::getpid());
  // Only for the message above: the lock holds without it.
  if (::ftruncate(fd_, 0) == 0) static_cast<void>(!::pwrite(fd_, me.data(), me.size(), 0));
}

void RunLock::check() const {
  struct stat locked {
  }, there{};
  const bool is_same = ::fstat(fd_, &locked) == 0 && ::stat((folder_ / ".lock").c_str(), &there) == 0 &&
                       locked.st_dev == there.st_dev && locked.st_ino == there.st_ino;
  if (!is_same)
    failure("{}: was removed or replaced during the run, and what it held is gone: run the pipeline again",
            folder_.string());
}

RunLock::~RunLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace rgm
