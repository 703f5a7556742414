// device_memory.cpp - a device's blocks of memory: where they come from, which of them lie idle and serve again, and
// what is done where there is none left.
#include <bit>

#include "base/text.hpp"
#include "tensor/device.hpp"
#include "tensor/plugin_call.hpp"

namespace rgm {
namespace {

constexpr size_t kExact = size_t{1} << 20;  // blocks from here on are not rounded up, but to pages
constexpr size_t kPage = 4096;

size_t rounded(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }

// In steps of an eighth of a power of two.
size_t in_eighths(size_t bytes) {
  if (bytes <= 1024) return bytes <= 256 ? 256 : std::bit_ceil(bytes);
  return rounded(bytes, std::max<size_t>(256, std::bit_floor(bytes) / 8));
}

}  // namespace

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
  check_status(answer_of_plugin(name_, "trim", [&] { return backend_.trim(device_), RGM_OK; }));
  held_ = held();
}

bool Device::keeps_freed() const { return RGM_HAS(&backend_, held) && RGM_HAS(&backend_, trim); }

uint64_t Device::held() const {
  uint64_t bytes = 0;
  if (keeps_freed())
    check_status(answer_of_plugin(name_, "held", [&] { return bytes = backend_.held(device_), RGM_OK; }));
  return bytes;
}

void* Device::block_of_backend(size_t size, size_t wanted) {
  void* data = nullptr;
  const auto alloc = [&] { return backend_.alloc(device_, size, &data); };
  rgm_status status = answer_of_plugin(name_, "alloc", alloc);
  if (status == RGM_NO_MEMORY) {  // once more, with what lies idle
    give_back_idle();
    status = answer_of_plugin(name_, "alloc", alloc);
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

}  // namespace rgm
