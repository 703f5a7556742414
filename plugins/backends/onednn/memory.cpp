// memory.cpp - where tensors and scratch live: aligned to 256 bytes, and on huge pages from 2 MiB on.
#include <sys/mman.h>

#include <cstdlib>

#include "device.hpp"

namespace regimen::onednn {
void* allocate(size_t bytes) {
  constexpr size_t kHuge = size_t{2} << 20;
  const size_t alignment = bytes >= kHuge ? kHuge : 256;
  const size_t rounded = (std::max<size_t>(bytes, 1) + 255) / 256 * 256;
  void* memory = nullptr;
  if (rounded < bytes || posix_memalign(&memory, alignment, rounded) != 0) throw std::bad_alloc();
  if (bytes >= kHuge) madvise(memory, rounded / kHuge * kHuge, MADV_HUGEPAGE);  // a wish: failure changes nothing
  return memory;
}

Scratch::~Scratch() {
  for (Block& block : blocks_) std::free(block.data);
}

void* Scratch::bytes(Slot slot, size_t n) {
  Block& block = blocks_[slot];
  if (n > block.size) {
    const size_t size = std::max(n, block.size + block.size / 2);
    std::free(block.data);
    block = {};
    block = {allocate(size), size};
  }
  return block.data;
}

}  // namespace regimen::onednn
