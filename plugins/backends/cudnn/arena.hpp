// arena.hpp - the device memory of tensors and scratch. With CUDA's virtual memory it is one stretch of addresses,
// whose pages are backed when a block first reaches them: what is freed side by side serves blocks of any size. Where
// the driver has not got that, it is some large blocks. Those that are small are CUDA's own.
#pragma once
#include <atomic>
#include <mutex>
#include <regimen/gaps.hpp>
#include <unordered_map>
#include <vector>

#include "libraries.hpp"

namespace regimen::cudnn {

class RGM_PRIVATE Arena {
 public:
  // `memory` has the device, in bytes. `driver` NULL: without virtual memory.
  Arena(int device, size_t memory, const Driver* driver);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // All from any thread. A block is aligned to 256; it may be freed before the stream has done with it, and what gets
  // it next stands behind in the stream. Throws RGM_NO_MEMORY.
  void* allocate(size_t bytes);
  void free(void* block);  // NULL: nothing
  uint64_t held() const { return held_; }
  void trim();  // waits for the device
  // Until it is called with false nothing may wait, and so nothing goes back to CUDA.
  void set_capturing(bool captures);

  static constexpr size_t small = size_t{64} << 10;  // below that, blocks are CUDA's own

 private:
  bool reserve(size_t size);
  void end_reservation();
  char* place_for(size_t size);
  CUresult back(size_t page);
  void back(char* block, size_t size);
  bool malloc_of(size_t size, void** out);
  bool give_back_idle(size_t wanted);
  void free_own(void* block);
  size_t page_of(const char* place) const { return static_cast<size_t>(place - begin_) / page_; }

  const int device_;
  const Driver* driver_;
  const bool separate_;  // every block is CUDA's own
  std::mutex mutex_;
  Gaps gaps_;
  char* begin_ = nullptr;  // of the addresses
  size_t size_ = 0, page_ = 0;
  std::vector<bool> backed_;             // pages
  std::vector<Gaps::Stretch> segments_;  // without virtual memory
  std::unordered_map<void*, size_t> own_;
  std::vector<void*> later_;  // of own_, freed while work was captured
  std::atomic<uint64_t> held_ = 0;
  bool captures_ = false;
};

}  // namespace regimen::cudnn
