// device.cpp - opening a device of a backend, what is copied to and from it, and how its failures are told.
#include "tensor/device.hpp"

#include <bit>
#include <cstring>
#include <numeric>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"
#include "tensor/named_kernels.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {
thread_local std::string failure_text;
thread_local rgm_status failure_code = RGM_OK;
std::shared_ptr<Device> current;
}  // namespace

rgm_status keep_failure(rgm_status code, std::string_view text) {
  failure_code = code;
  failure_text.assign(text);
  return code;
}
std::string_view last_failure() { return failure_text; }

void check_status(rgm_status status) {
  if (status == RGM_OK) [[likely]]
    return;
  // A text of another status is of some earlier failure, which was dealt with.
  if (failure_text.empty() || failure_code != status)
    throw Error(status, fmt::format("failed with status {} and left no reason", status));
  throw Error(status, failure_text);
}

Device& current_device() {
  require(current != nullptr, "no device is open");
  return *current;
}
bool has_current_device() { return current != nullptr; }
const std::shared_ptr<Device>& share_current_device() {
  require(current != nullptr, "no device is open");
  return current;
}
std::shared_ptr<Device> set_current_device(std::shared_ptr<Device> device) {
  return std::exchange(current, std::move(device));
}

Device::Device(const rgm_backend& backend, uint32_t index, const rgm_config* config, std::string id)
    : backend_(backend), id_(std::move(id)), name_(plugin_name("backend", id_)) {
  uint32_t count = 0;
  check_status(answer_of_plugin(name_, "device_count", [&] { return backend_.device_count(&count); }));
  require(count > 0, "it found no device here");
  require(index < count, "it has {} devices, and none with the number {}", count, index);
  info_.struct_size = sizeof info_;
  check_status(answer_of_plugin(name_, "device_info", [&] { return backend_.device_info(index, &info_); }));
  check_status(answer_of_plugin(name_, "open", [&] { return backend_.open(index, config, &device_); }));
  try {
    take_kernels();
    check_status(answer_of_plugin(name_, "queue_new", [&] { return backend_.queue_new(device_, &queue_); }));
  } catch (...) {
    close();
    throw;
  }
}

// At their full length: what an older backend's shorter table lacks is NULL.
void Device::take_kernels() {
  const rgm_kernels* theirs = nullptr;
  check_status(answer_of_plugin(name_, "kernels", [&] { return theirs = backend_.kernels(device_), RGM_OK; }));
  require(theirs != nullptr, "{} has no table of kernels; its author has to correct it", name_);
  std::memcpy(&own_kernels_, theirs, std::min<size_t>(theirs->struct_size, sizeof own_kernels_));
  own_kernels_.struct_size = sizeof own_kernels_;
  kernels_ = named_kernels(own_kernels_);
  const auto needs = [&](bool is_there, const char* name) {
    require(is_there, "{} lacks the required kernel {}; its author has to add it", name_, name);
  };
  needs(kernels_.fill != nullptr, "fill");
  needs(kernels_.copy != nullptr, "copy");
  needs(kernels_.unary != nullptr, "unary");
  needs(kernels_.binary != nullptr, "binary");
  needs(kernels_.select != nullptr, "select");
  needs(kernels_.reduce != nullptr, "reduce");
  needs(kernels_.matmul != nullptr, "matmul");
  needs(kernels_.gather != nullptr, "gather");
  needs(kernels_.scatter_add != nullptr, "scatter_add");
  needs(kernels_.random != nullptr, "random");
}

Device::~Device() {
  call_quietly(name_, "queue_free", [&] { backend_.queue_free(queue_); });
  for (const Block& block : counting_) release(block);
  give_back_idle();
  close();
}

void Device::close() {
  call_quietly(name_, "close", [&] { backend_.close(device_); });
}

void* Device::counting(int64_t n) {
  const std::lock_guard lock(counting_mutex_);
  if (n > counted_) {
    std::vector<int32_t> numbers(std::max<size_t>(256, std::bit_ceil(static_cast<size_t>(n))));
    std::iota(numbers.begin(), numbers.end(), 0);
    const Block block = allocate(numbers.size() * sizeof(int32_t));
    try {
      upload(block.data, numbers.data(), numbers.size() * sizeof(int32_t));
    } catch (...) {
      release(block);
      throw;
    }
    counting_.push_back(block);
    counted_ = std::ssize(numbers);
  }
  return counting_.empty() ? nullptr : counting_.back().data;
}

// Memory that a kernel lacks is that of the device as well.
void Device::check(rgm_status status) {
  if (status != RGM_INTERNAL && status != RGM_DEVICE_ERROR && status != RGM_NO_MEMORY) [[likely]]
    return check_status(status);
  try {
    check_status(status);
  } catch (const Error& e) {
    if (status != RGM_NO_MEMORY) throw Error(status, fmt::format("{} failed: {}", name_, e.what()));
    const std::lock_guard lock(mutex_);
    refused_ = in_use_;
    throw Error(status, fmt::format("out of memory on {}: {}; {}", id_, e.what(), use()));
  }
}

std::string Device::use() const {
  const uint64_t held = this->held(), own = held - std::min<uint64_t>(held, in_use_);
  const std::string out = fmt::format("{} are in use", bytes_for_people(in_use_));
  return own == 0 ? out : fmt::format("{}, beside {} of scratch", out, bytes_for_people(own));
}

void Device::upload(void* to, const void* from, size_t bytes) {
  if (bytes) check(answer_of_plugin(name_, "upload", [&] { return backend_.upload(queue_, to, from, bytes); }));
}
void Device::download(void* to, const void* from, size_t bytes) {
  if (bytes) check(answer_of_plugin(name_, "download", [&] { return backend_.download(queue_, to, from, bytes); }));
}
void Device::wait() {
  check(answer_of_plugin(name_, "wait", [&] { return backend_.wait(queue_); }));
}

}  // namespace rgm
