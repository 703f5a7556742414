// kernel_profile.hpp - where the time of a device goes: while one lives, every kernel is waited for and timed. Waiting
// makes an asynchronous device slower, so the shares tell, not the sum.
#pragma once
#include <map>
#include <string>

#include "tensor/device.hpp"

namespace rgm {

struct KernelTime {
  uint64_t calls = 0;
  double seconds = 0;
  double operations = 0;  // floating-point ones, of products and attention; 0: not counted
};

// One at a time in a process; the device's kernels are its own again when it goes. Nothing is captured meanwhile, as
// what is timed is waited for.
class KernelProfile {
 public:
  explicit KernelProfile(Device& device);
  ~KernelProfile();
  KernelProfile(const KernelProfile&) = delete;
  KernelProfile& operator=(const KernelProfile&) = delete;

  void clear();
  // By kernel, products also by shape: "linear 768x128x512" is M x in x out, "matmul 128x512x768" M x K x N.
  const std::map<std::string, KernelTime>& times() const;

 private:
  Device& device_;
  rgm_kernels before_;
  bool captured_before_;
};

}  // namespace rgm
