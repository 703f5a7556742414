// arena.cpp - blocks from the gaps of what is held; the device's memory behind them comes in pages of 32 MiB.
#include "arena.hpp"

#include <algorithm>
#include <cstdlib>

#include "device.hpp"

namespace regimen::cudnn {
namespace {

// For tools that watch the rims of blocks that they know.
bool blocks_are_to_be_separate() {
#ifdef REGIMEN_SANITIZED
  return true;
#else
  return std::getenv("REGIMEN_CUDNN_SEPARATE_BLOCKS") != nullptr;
#endif
}
constexpr size_t least_page = size_t{32} << 20, least_segment = size_t{256} << 20;
constexpr size_t step = 512;  // of sizes, and between two segments, which never become one

size_t rounded(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }
CUdeviceptr address(const char* place) { return reinterpret_cast<CUdeviceptr>(place); }

CUmemLocation location(int device) {
  CUmemLocation l{};
  l.type = CU_MEM_LOCATION_TYPE_DEVICE;
  l.id = device;
  return l;
}
CUmemAllocationProp properties(int device) {
  CUmemAllocationProp p{};
  p.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  p.location = location(device);
  return p;
}

[[noreturn]] void no_memory() {
  check_cuda(cudaErrorMemoryAllocation, "alloc");
  throw std::bad_alloc();
}

}  // namespace

Arena::Arena(int device, size_t memory, const Driver* driver)
    : device_(device), driver_(driver), separate_(blocks_are_to_be_separate()) {
  if (driver_ && !reserve(2 * memory)) driver_ = nullptr;
}

// False where the driver cannot do all that is needed.
bool Arena::reserve(size_t size) {
  const CUmemAllocationProp wanted = properties(device_);
  size_t least = 0;
  if (driver_->granularity(&least, &wanted, CU_MEM_ALLOC_GRANULARITY_MINIMUM) != CUDA_SUCCESS || least == 0)
    return false;
  page_ = rounded(least_page, least);
  size_ = rounded(size, page_);  // addresses cost nothing, and twice the memory leaves room between blocks
  CUdeviceptr at = 0;
  if (driver_->reserve(&at, size_, 0, 0, 0) != CUDA_SUCCESS) return false;
  begin_ = reinterpret_cast<char*>(at);  // NOLINT(performance-no-int-to-ptr): CUDA's two ways to say where
  backed_.resize(size_ / page_);
  if (back(0) != CUDA_SUCCESS) {  // tried once, so that nothing later is a surprise
    end_reservation();
    return false;
  }
  gaps_.add({begin_, size_});
  return true;
}

void Arena::end_reservation() {
  for (size_t page = 0; page < backed_.size(); ++page)
    if (backed_[page]) driver_->unmap(address(begin_ + page * page_), page_);
  driver_->free(address(begin_), size_);
}

Arena::~Arena() {
  cudaSetDevice(device_);
  cudaDeviceSynchronize();
  for (const auto& [block, size] : own_) cudaFree(block);
  for (const Gaps::Stretch& segment : segments_) cudaFree(segment.place);
  if (driver_) end_reservation();
}

void* Arena::allocate(size_t bytes) {
  check_cuda(cudaSetDevice(device_), "alloc");
  const std::lock_guard lock(mutex_);
  if (bytes < small || separate_) {
    void* block = nullptr;
    if (!malloc_of(std::max<size_t>(bytes, 1), &block)) no_memory();
    own_.emplace(block, bytes);
    held_ += bytes;
    return block;
  }
  const size_t size = rounded(bytes, step);
  char* const block = size < bytes ? nullptr : place_for(size);
  if (!block) no_memory();
  try {
    if (driver_) back(block, size);
  } catch (...) {
    gaps_.give(block);
    throw;
  }
  return block;
}

void Arena::free(void* block) {
  if (!block) return;
  const std::lock_guard lock(mutex_);
  const auto own = own_.find(block);
  if (own == own_.end()) return gaps_.give(block);
  if (captures_) return later_.push_back(block);
  free_own(block);
}

void Arena::free_own(void* block) {
  const auto own = own_.find(block);
  cudaSetDevice(device_);
  cudaFree(block);
  held_ -= own->second;
  own_.erase(own);
}

void Arena::set_capturing(bool captures) {
  const std::lock_guard lock(mutex_);
  captures_ = captures;
  if (captures_) return;
  for (void* block : std::exchange(later_, {})) free_own(block);
}

// False where there is no memory, also not when what is idle was given back.
bool Arena::malloc_of(size_t size, void** out) {
  cudaError_t error = cudaMalloc(out, size);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it is dealt with
    if (!give_back_idle(size)) return false;
    error = cudaMalloc(out, size);
  }
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return false;
  }
  check_cuda(error, "alloc");
  return true;
}

char* Arena::place_for(size_t size) {
  if (char* const block = gaps_.take(size); block || driver_) return block;
  Gaps::Stretch segment{nullptr, std::max(size, least_segment)};
  void* memory = nullptr;
  if (cudaMalloc(&memory, segment.size + step) != cudaSuccess) {  // then of what is needed alone
    cudaGetLastError();
    segment.size = size;
    if (!malloc_of(size + step, &memory)) return nullptr;
  }
  segment.place = static_cast<char*>(memory);
  segments_.push_back(segment);
  held_ += segment.size;
  gaps_.add(segment);
  return gaps_.take(size);
}

CUresult Arena::back(size_t page) {
  const CUmemAllocationProp wanted = properties(device_);
  CUmemGenericAllocationHandle memory{};
  CUresult result = driver_->create(&memory, page_, &wanted, 0);
  if (result != CUDA_SUCCESS) return result;
  const CUdeviceptr at = address(begin_ + page * page_);
  result = driver_->map(at, page_, 0, memory, 0);
  driver_->release(memory);  // goes with its mapping
  if (result != CUDA_SUCCESS) return result;
  const CUmemAccessDesc access{location(device_), CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  result = driver_->set_access(at, page_, &access, 1);
  if (result != CUDA_SUCCESS) {
    driver_->unmap(at, page_);
    return result;
  }
  backed_[page] = true;
  held_ += page_;
  return result;
}

void Arena::back(char* block, size_t size) {
  for (size_t page = page_of(block); page <= page_of(block + size - 1); ++page) {
    if (backed_[page]) continue;
    CUresult result = back(page);
    const size_t missing = (page_of(block + size - 1) - page + 1) * page_;
    if (result == CUDA_ERROR_OUT_OF_MEMORY && give_back_idle(missing)) result = back(page);
    if (result == CUDA_ERROR_OUT_OF_MEMORY) no_memory();
    if (result == CUDA_SUCCESS) continue;
    if (!captures_) check_cuda(cudaDeviceSynchronize(), "alloc");  // the GPU may have fallen away
    throw Error(RGM_INTERNAL, "alloc: CUDA's driver failed with " + std::to_string(static_cast<int>(result)));
  }
}

void Arena::trim() {
  cudaSetDevice(device_);
  const std::lock_guard lock(mutex_);
  try {
    give_back_idle(SIZE_MAX);
  } catch (const Error&) {}  // of a GPU that has fallen away, which the next call tells
}

// Of pages or segments that are wholly free, as many as are wanted. False: there are none, or nothing may wait.
bool Arena::give_back_idle(size_t wanted) {
  if (captures_) return false;
  check_cuda(cudaDeviceSynchronize(), "alloc");
  size_t given = 0;
  if (driver_)
    gaps_.each([&](Gaps::Stretch gap) {
      const size_t end = std::min(page_of(gap.place + gap.size), backed_.size());
      for (size_t page = page_of(gap.place + page_ - 1); page < end && given < wanted; ++page) {
        if (!backed_[page] || driver_->unmap(address(begin_ + page * page_), page_) != CUDA_SUCCESS) continue;
        backed_[page] = false;
        given += page_;
      }
    });
  std::erase_if(segments_, [&](const Gaps::Stretch& segment) {
    if (given >= wanted || !gaps_.remove(segment)) return false;
    cudaFree(segment.place);
    given += segment.size;
    return true;
  });
  held_ -= given;
  return given > 0;
}

}  // namespace regimen::cudnn
