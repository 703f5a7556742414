// kernel_trace.hpp - what a device is asked to compute while one lives: each kernel with its numbers and shapes, in the
// order of the calls. One at a time in a process.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tensor/device.hpp"

namespace rgm::inspect {

class KernelTrace {
 public:
  explicit KernelTrace(Device& device);
  ~KernelTrace();
  KernelTrace(const KernelTrace&) = delete;
  KernelTrace& operator=(const KernelTrace&) = delete;

  std::vector<std::string> take();  // "fill 0.5 (3)", since the last time

 private:
  Device& device_;
  rgm_kernels before_;
};

// Where one list of calls first differs from another: call `place`, from 1 on.
struct Change {
  size_t place;
  std::string was, is;
};
std::optional<Change> first_change(const std::vector<std::string>& before, const std::vector<std::string>& now);

}  // namespace rgm::inspect
