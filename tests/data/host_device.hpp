// host_device.hpp - a device that is nothing but host memory, for tests that upload and download and compute nothing.
#pragma once
#include <cstdlib>
#include <cstring>
#include <memory>

#include "tensor/device.hpp"

namespace rgm::test {

inline const rgm_backend& host_backend() {
  static const rgm_kernels kernels = [] {
    rgm_kernels k{};
    k.struct_size = sizeof k;
    // It moves memory and computes nothing.
    k.fill = [](auto...) -> rgm_status { return RGM_UNSUPPORTED; };
    k.copy = [](auto...) -> rgm_status { return RGM_UNSUPPORTED; };
    k.unary = [](auto...) -> rgm_status { return RGM_UNSUPPORTED; };
    k.binary = [](auto...) -> rgm_status { return RGM_UNSUPPORTED; };
    k.select = [](auto...) -> rgm_status { return RGM_UNSUPPORTED; };
    k.reduce = [](auto...) -> rgm_status { return RGM_UNSUPPORTED; };
    k.matmul = [](auto...) -> rgm_status { return RGM_UNSUPPORTED; };
    k.gather = [](auto...) -> rgm_status { return RGM_UNSUPPORTED; };
    k.scatter_add = [](auto...) -> rgm_status { return RGM_UNSUPPORTED; };
    k.random = [](auto...) -> rgm_status { return RGM_UNSUPPORTED; };
    return k;
  }();
  static const rgm_backend backend = [] {
    rgm_backend b{};
    b.struct_size = sizeof b;
    b.device_count = [](uint32_t* out) -> rgm_status { return *out = 1, RGM_OK; };
    b.device_info = [](uint32_t, rgm_device_info* out) -> rgm_status {
      out->name = out->arch = "host memory";
      out->threads = 1;
      return RGM_OK;
    };
    b.open = [](uint32_t, const rgm_config*, rgm_device** out) -> rgm_status { return *out = nullptr, RGM_OK; };
    b.close = [](rgm_device*) {};
    b.kernels = [](rgm_device*) { return &kernels; };
    b.alloc = [](rgm_device*, size_t bytes, void** out) -> rgm_status {
      *out = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
      return *out ? RGM_OK : RGM_NO_MEMORY;
    };
    b.free = [](rgm_device*, void* memory) { std::free(memory); };
    b.queue_new = [](rgm_device*, rgm_queue** out) -> rgm_status { return *out = nullptr, RGM_OK; };
    b.queue_free = [](rgm_queue*) {};
    b.upload = [](rgm_queue*, void* to, const void* from, size_t bytes) -> rgm_status {
      return std::memcpy(to, from, bytes), RGM_OK;
    };
    b.download = b.upload;
    b.wait = [](rgm_queue*) -> rgm_status { return RGM_OK; };
    return b;
  }();
  return backend;
}

// The current device while it lives.
class HostDevice {
 public:
  HostDevice() : before_(set_current_device(std::make_shared<Device>(host_backend(), 0, nullptr, "host"))) {}
  ~HostDevice() { set_current_device(before_); }
  HostDevice(const HostDevice&) = delete;
  HostDevice& operator=(const HostDevice&) = delete;

 private:
  std::shared_ptr<Device> before_;
};

}  // namespace rgm::test
