// memory.cpp - where tensors and scratch live: one stretch of addresses, on huge pages where the system offers them.
#include <malloc.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "device.hpp"
#include "regimen/gaps.hpp"

namespace regimen::onednn {
namespace {
[[maybe_unused]] constexpr size_t kSmall = size_t{64} << 10;  // below that, the C library's allocator
constexpr size_t kHuge = size_t{2} << 20;
constexpr size_t kPage = 4096;

[[noreturn]] void no_memory(size_t bytes) {
  throw Error(RGM_NO_MEMORY, "no memory for " + std::to_string(bytes) + " bytes");
}

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// Tensors and scratch in one stretch of addresses. Pages stay with the process until trim(). Thread-safe; never
// destroyed, as devices may outlive what the end of the program destroys.
class Arena {
 public:
  static Arena& get() {
    static Arena* const arena = new Arena;
    return *arena;
  }

  bool is_there() const { return size_ > 0; }
  bool owns(const void* memory) const { return memory >= begin_ && memory < begin_ + size_; }
  uint64_t held() const { return held_; }

  // NULL where there is no more.
  void* take(size_t bytes) {
    const size_t size = rounded(bytes, kPage);
    const std::lock_guard lock(mutex_);
    if (size < bytes || size > most_ - std::min(gaps_.in_use(), most_)) return nullptr;
    char* const block = gaps_.take(size);
    if (!block) return nullptr;
    for (size_t page = page_of(block); page <= page_of(block + size - 1); ++page) touch(page);
    return block;
  }

  void give(void* memory) {
    const std::lock_guard lock(mutex_);
    gaps_.give(memory);
  }

  // Whole huge pages of the gaps.
  void trim() {
    const std::lock_guard lock(mutex_);
    gaps_.each([this](Gaps::Stretch gap) {
      const size_t first = page_of(gap.place + kHuge - 1),
                   end = std::min(page_of(gap.place + gap.size), touched_.size());
      if (first >= end) return;
      madvise(begin_ + first * kHuge, (end - first) * kHuge, MADV_DONTNEED);
      for (size_t page = first; page < end; ++page)
        if (touched_[page]) touched_[page] = false, held_ -= kHuge;
    });
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
    const size_t from = reinterpret_cast<size_t>(all);
    begin_ = static_cast<char*>(all) + (rounded(from, kHuge) - from);
    size_ = wanted - kHuge;
    madvise(begin_, size_, MADV_HUGEPAGE);  // a wish: failure changes nothing
    gaps_.add({begin_, size_});
  }

  size_t page_of(const char* p) const { return static_cast<size_t>(p - begin_) / kHuge; }
  void touch(size_t page) {
    if (page >= touched_.size()) touched_.resize(page + 1);
    if (!touched_[page]) touched_[page] = true, held_ += kHuge;
  }

  std::mutex mutex_;
  char* begin_ = nullptr;
  size_t size_ = 0, most_ = 0;
  Gaps gaps_;
  std::vector<bool> touched_;  // huge pages that are the process's
  std::atomic<uint64_t> held_ = 0;
};

// Of the C library, as much as there ever was at once.
std::atomic<uint64_t> lent_by_library = 0, most_lent = 0;

void* of_library(size_t bytes) {
  const size_t size = rounded(std::max<size_t>(bytes, 1), 256);
  const bool is_large = bytes >= kHuge;  // and the arena is not there
  void* memory = nullptr;
  if (size < bytes || posix_memalign(&memory, is_large ? kHuge : 256, size) != 0) no_memory(bytes);
  if (is_large) madvise(memory, size / kHuge * kHuge, MADV_HUGEPAGE);
  const uint64_t lent = lent_by_library += malloc_usable_size(memory);
  for (uint64_t most = most_lent; lent > most && !most_lent.compare_exchange_weak(most, lent);) {}
  return memory;
}
}  // namespace

void* allocate(size_t bytes) {
#ifndef REGIMEN_SANITIZED  // which watches the rims of blocks that it knows
  if (bytes >= kSmall && Arena::get().is_there()) {
    if (void* const block = Arena::get().take(bytes)) return block;
    no_memory(bytes);
  }
#endif
  return of_library(bytes);
}

void deallocate(void* memory) {
  if (Arena::get().owns(memory)) return Arena::get().give(memory);
  if (memory) lent_by_library -= malloc_usable_size(memory);
  std::free(memory);
}

uint64_t held_memory() { return Arena::get().held() + most_lent; }

void trim_memory() {
  Arena::get().trim();
  malloc_trim(0);
  most_lent = lent_by_library.load();
}

Scratch::~Scratch() {
  for (Block& block : blocks_) deallocate(block.data);
}

void* Scratch::bytes(Slot slot, size_t n) {
  Block& block = blocks_[slot];
  if (n > block.size) {
    const size_t size = n >= kLarge ? n : std::max(n, block.size + block.size / 2);
    deallocate(block.data);
    block = {};
    block = {allocate(size), size};
  }
  return block.data;
}

void Scratch::give_back_large() {
  for (Block& block : blocks_) {
    if (block.size < kLarge) continue;
    deallocate(block.data);
    block = {};
  }
}

}  // namespace regimen::onednn
