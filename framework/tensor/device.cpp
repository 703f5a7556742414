// device.cpp - opening a device, and its memory.
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

constexpr size_t kExact = size_t{1} << 20;  // blocks from here on are not rounded up, but to pages
constexpr size_t kPage = 4096;

size_t rounded(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

// In steps of an eighth of a power of two.
size_t in_eighths(size_t bytes) {
  if (bytes <= 1024) return bytes <= 256 ? 256 : std::bit_ceil(bytes);
  return rounded(bytes, std::max<size_t>(256, std::bit_floor(bytes) / 8));
}
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
  check_status(answer("device_count", [&] { return backend_.device_count(&count); }));
  require(count > 0, "it found no device here");
  require(index < count, "it has {} devices, and none with the number {}", count, index);
  info_.struct_size = sizeof info_;
  check_status(answer("device_info", [&] { return backend_.device_info(index, &info_); }));
  check_status(answer("open", [&] { return backend_.open(index, config, &device_); }));
  try {
    take_kernels();
    check_status(answer("queue_new", [&] { return backend_.queue_new(device_, &queue_); }));
  } catch (...) {
    close();
    throw;
  }
}

// At their full length: what an older backend's shorter table lacks is NULL.
void Device::take_kernels() {
  const rgm_kernels* theirs = nullptr;
  check_status(answer("kernels", [&] { return theirs = backend_.kernels(device_), RGM_OK; }));
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

// As kernels are called: what is thrown names the backend.
template <class F>
rgm_status Device::answer(std::string_view function, F&& call) const {
  return answer_of_plugin(name_, function, call);
}
void Device::close() {
  call_quietly(name_, "close", [&] { backend_.close(device_); });
}
void Device::free(void* data) {
  call_quietly(name_, "free", [&] { backend_.free(device_, data); });
}

void Device::give_back_idle() {
  for (const auto& [size, blocks] : idle_)
    for (void* const data : blocks) free(data);
  idle_.clear();
}

// Of large blocks there are as many sizes as shapes: a size that is not there any more is not looked at again.
Device::Block Device::take(std::map<size_t, std::vector<void*>>::iterator at) {
  const Block block{at->second.back(), at->first};
  at->second.pop_back();
  if (at->second.empty() && at->first >= kExact) idle_.erase(at);
  return block;
}

Device::Block Device::idle_block(size_t least, size_t most) {
  for (auto at = idle_.lower_bound(least); at != idle_.end() && at->first <= most; ++at)
    if (!at->second.empty()) return take(at);
  return {};
}

// Gives back the largest idle block below `size`, if it is of nearly that size.
bool Device::give_back_near(size_t size) {
  for (auto at = idle_.lower_bound(size); at != idle_.begin() && (--at)->first >= size - size / 8;) {
    if (at->second.empty()) continue;
    free(take(at).data);
    return true;
  }
  return false;
}

void Device::trim() {
  wait();
  const std::lock_guard lock(mutex_);
  give_back_idle();
  if (!keeps_freed()) return;
  check_status(answer("trim", [&] { return backend_.trim(device_), RGM_OK; }));
  held_ = held();
}

bool Device::keeps_freed() const { return RGM_HAS(&backend_, held) && RGM_HAS(&backend_, trim); }

uint64_t Device::held() const {
  uint64_t bytes = 0;
  if (keeps_freed()) check_status(answer("held", [&] { return bytes = backend_.held(device_), RGM_OK; }));
  return bytes;
}

void* Device::block_of_backend(size_t size, size_t wanted) {
  void* data = nullptr;
  const auto alloc = [&] { return backend_.alloc(device_, size, &data); };
  rgm_status status = answer("alloc", alloc);
  if (status == RGM_NO_MEMORY) {  // once more, with what lies idle
    give_back_idle();
    status = answer("alloc", alloc);
  }
  if (status == RGM_NO_MEMORY) {
    refused_ = in_use_;
    throw Error(RGM_NO_MEMORY,
                fmt::format("out of memory on {}: {} were asked for, {}", id_, bytes_for_people(wanted), use()));
  }
  check(status);
  if (!data)
    throw Error(
        RGM_DEVICE_ERROR,
        fmt::format("{}: alloc returned RGM_OK but no memory where {} were asked for; its author has to correct it",
                    name_, bytes_for_people(wanted)));
  if (!keeps_freed()) {
    ++allocations_;
  } else if (const uint64_t held = this->held(); held > held_) {
    held_ = held;
    ++allocations_;
  }
  return data;
}

void Device::set_aside(std::vector<Block>* aside) {
  const std::lock_guard lock(mutex_);
  aside_ = aside;
  who_sets_aside_ = std::this_thread::get_id();
}

// The smallest that does, and is not more than twice as large; none: NULL.
Device::Block Device::from_aside(size_t bytes) {
  if (!aside_ || who_sets_aside_ != std::this_thread::get_id()) return {};
  auto best = aside_->end();
  for (auto at = aside_->begin(); at != aside_->end(); ++at)
    if (at->size >= bytes && at->size <= 2 * bytes + 256 && (best == aside_->end() || at->size < best->size)) best = at;
  if (best == aside_->end()) return {};
  const Block block = *best;
  aside_->erase(best);
  return block;
}

void Device::when_short(std::function<bool()> give_back) {
  const std::lock_guard lock(mutex_);
  give_back_ = std::move(give_back);
  who_gives_back_ = std::this_thread::get_id();
}

bool Device::asked_to_give_back() {
  std::function<bool()> ask;
  {
    const std::lock_guard lock(mutex_);
    if (who_gives_back_ == std::this_thread::get_id()) ask = give_back_;
  }
  return ask && ask();
}

Device::Block Device::allocate(size_t bytes) {
  try {
    return allocate_at_once(bytes);
  } catch (const Error& e) {
    if (e.status() != RGM_NO_MEMORY || !asked_to_give_back()) throw;
  }
  return allocate_at_once(bytes);
}

// A block that is kept here may be up to an eighth larger than what is asked for, so that shapes that differ a little
// share it.
Device::Block Device::allocate_at_once(size_t bytes) {
  const size_t coarse = in_eighths(bytes);
  size_t size = rounded(bytes, kPage);
  const std::lock_guard lock(mutex_);
  Block block = from_aside(bytes);
  if (block.data) return block;
  if (is_backends(size)) {
    block = {block_of_backend(size, bytes), size};
  } else {
    if (bytes < kExact) size = coarse;
    block = idle_block(size, std::max(coarse, size + size / 8));
    // What is a little larger than before may grow further: it gets room for that, in place of a block that lies idle.
    if (!block.data && size >= kExact && give_back_near(size)) size = coarse;
    if (!block.data) block = {block_of_backend(size, bytes), size};
  }
  in_use_ += block.size;
  peak_ = std::max(peak_, in_use_);
  return block;
}

void Device::release(const Block& block) {
  const std::lock_guard lock(mutex_);
  if (aside_ && who_sets_aside_ == std::this_thread::get_id()) return aside_->push_back(block);  // in use all the same
  in_use_ -= block.size;
  if (is_backends(block.size))
    free(block.data);
  else
    idle_[block.size].push_back(block.data);
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
  if (bytes) check(answer("upload", [&] { return backend_.upload(queue_, to, from, bytes); }));
}
void Device::download(void* to, const void* from, size_t bytes) {
  if (bytes) check(answer("download", [&] { return backend_.download(queue_, to, from, bytes); }));
}
void Device::wait() {
  check(answer("wait", [&] { return backend_.wait(queue_); }));
}

}  // namespace rgm
