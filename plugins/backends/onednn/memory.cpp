// memory.cpp - where tensors and scratch live: one stretch of addresses, on huge pages where the system offers them.
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <unordered_map>

#include "device.hpp"

namespace regimen::onednn {
namespace {
[[maybe_unused]] constexpr size_t kSmall = size_t{64} << 10;  // below that, the C library's allocator
constexpr int64_t kHuge = int64_t{2} << 20;
constexpr size_t kPage = 4096;

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// Blocks lie side by side, so that one huge page serves the end of one and the beginning of the next, and go back to
// the system by whole huge pages. Thread-safe; never destroyed, as devices may outlive what the end of the program
// destroys.
class Arena {
 public:
  static Arena& get() {
    static Arena* const arena = new Arena;
    return *arena;
  }

  bool is_there() const { return size_ > 0; }

  // NULL where there is no more. First fit from below, which keeps the top free.
  void* take(size_t bytes) {
    const size_t size = rounded(bytes, kPage);
    const std::lock_guard lock(mutex_);
    if (size < bytes || size > most_ - std::min(in_use_, most_)) return nullptr;
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      const auto [block, length] = *it;
      if (length < size) continue;
      taken_.emplace(block, size);
      free_.erase(it);
      if (length > size) free_.emplace(block + size, length - size);
      in_use_ += size;
      return block;
    }
    return nullptr;
  }

  bool owns(const void* memory) const { return memory >= begin_ && memory < begin_ + size_; }

  void give(void* memory) {
    const std::lock_guard lock(mutex_);
    const auto taken = taken_.find(static_cast<char*>(memory));
    if (taken == taken_.end()) std::abort();  // given back twice, or never taken
    char *const block = taken->first, *const end = block + taken->second;
    in_use_ -= taken->second;
    taken_.erase(taken);
    auto it = free_.emplace(block, static_cast<size_t>(end - block)).first;
    if (const auto next = std::next(it); next != free_.end() && end == next->first) {
      it->second += next->second;
      free_.erase(next);
    }
    if (it != free_.begin() && std::prev(it)->first + std::prev(it)->second == block) {
      const size_t more = it->second;
      free_.erase(it--);
      it->second += more;
    }
    // Also the huge pages at the rim, where nothing else lies on them any more.
    char* const first = up(std::max(it->first, down(block)));
    char* const last = down(std::min(it->first + it->second, up(end)));
    if (first < last) madvise(first, static_cast<size_t>(last - first), MADV_DONTNEED);
  }

 private:
  Arena() {
    struct sysinfo system {};
    sysinfo(&system);
    most_ = size_t{system.totalram + system.totalswap} * system.mem_unit;
    // Addresses cost nothing, and twice the memory leaves room between blocks.
    const size_t wanted = rounded(2 * most_, kHuge) + kHuge;
    void* const all = mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) return;  // a limit on addresses: each block comes from the C library then
    begin_ = reinterpret_cast<char*>(rounded(reinterpret_cast<size_t>(all), kHuge));
    size_ = wanted - kHuge;
    madvise(begin_, size_, MADV_HUGEPAGE);  // a wish: failure changes nothing
    free_.emplace(begin_, size_);
  }

  char* down(char* p) const { return p - (p - begin_) % kHuge; }
  char* up(char* p) const { return begin_ + rounded(static_cast<size_t>(p - begin_), kHuge); }

  std::mutex mutex_;
  char* begin_ = nullptr;
  size_t size_ = 0, most_ = 0, in_use_ = 0;
  std::map<char*, size_t> free_;  // by address, never two that touch
  std::unordered_map<char*, size_t> taken_;
};
}  // namespace

void* allocate(size_t bytes) {
#ifndef REGIMEN_SANITIZED  // which watches the rims of blocks that it knows
  if (bytes >= kSmall && Arena::get().is_there()) {
    if (void* const block = Arena::get().take(bytes)) return block;
    throw std::bad_alloc();
  }
#endif
  const size_t size = rounded(std::max<size_t>(bytes, 1), 256);
  const bool is_large = bytes >= static_cast<size_t>(kHuge);  // and the arena is not there
  void* memory = nullptr;
  if (size < bytes || posix_memalign(&memory, is_large ? static_cast<size_t>(kHuge) : 256, size) != 0)
    throw std::bad_alloc();
  if (is_large) madvise(memory, size / kHuge * kHuge, MADV_HUGEPAGE);
  return memory;
}

void deallocate(void* memory) {
  if (Arena::get().owns(memory)) return Arena::get().give(memory);
  std::free(memory);
}

Scratch::~Scratch() {
  for (Block& block : blocks_) deallocate(block.data);
}

void* Scratch::bytes(Slot slot, size_t n) {
  Block& block = blocks_[slot];
  if (n > block.size) {
    const size_t size = std::max(n, block.size + block.size / 2);
    deallocate(block.data);
    block = {};
    block = {allocate(size), size};
  }
  return block.data;
}

}  // namespace regimen::onednn
