// run_lock.hpp - one process at a time in a run's folder. The lock goes with the process, however it ends.
#pragma once
#include "base/file.hpp"

namespace rgm {

class RunLock {
 public:
  // Throws when another process holds it, and names that one.
  explicit RunLock(const fs::path& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  // Throws (exit 1) when the folder is no longer the one that was locked: what is written below its name since then
  // lacks what was written before.
  void check() const;

 private:
  fs::path folder_;
  int fd_ = -1;
};

}  // namespace rgm
