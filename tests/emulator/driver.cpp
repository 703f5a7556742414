// driver.cpp - the driver's virtual memory in software: addresses of the host that fault until memory is mapped there
// and access is given. There is as much of it as `memory` says.
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>

#include "emulator.hpp"
#include "libraries.hpp"

namespace emulator {

namespace {

constexpr size_t granularity = size_t{2} << 20;
struct Created {
  size_t size = 0;
  bool released = false;
};
std::mutex mutex;
CUmemGenericAllocationHandle next = 1;
std::map<CUmemGenericAllocationHandle, Created> handles;
struct Mapped {
  size_t size = 0;
  CUmemGenericAllocationHandle handle = 0;
};
std::map<CUdeviceptr, Mapped> mapped;

void* at(CUdeviceptr place) { return reinterpret_cast<void*>(place); }  // NOLINT(performance-no-int-to-ptr)

bool is_of_device(const CUmemLocation& l) { return l.type == CU_MEM_LOCATION_TYPE_DEVICE && l.id == 0; }

CUresult get_granularity(size_t* out, const CUmemAllocationProp* p, CUmemAllocationGranularity_flags) {
  if (p->type != CU_MEM_ALLOCATION_TYPE_PINNED || !is_of_device(p->location)) return CUDA_ERROR_INVALID_VALUE;
  *out = granularity;
  return CUDA_SUCCESS;
}
CUresult reserve(CUdeviceptr* out, size_t size, size_t, CUdeviceptr, unsigned long long) {
  if (size == 0 || size % granularity != 0) return CUDA_ERROR_INVALID_VALUE;
  void* const place = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
  *out = reinterpret_cast<CUdeviceptr>(place);
  return CUDA_SUCCESS;
}
CUresult free_addresses(CUdeviceptr place, size_t size) {
  const std::scoped_lock lock(mutex);
  const auto within = mapped.lower_bound(place);
  if (within != mapped.end() && within->first < place + size) return CUDA_ERROR_INVALID_VALUE;
  munmap(at(place), size);
  return CUDA_SUCCESS;
}
CUresult create(CUmemGenericAllocationHandle* out, size_t size, const CUmemAllocationProp* p, unsigned long long) {
  const std::scoped_lock lock(mutex);
  if (size == 0 || size % granularity != 0 || !is_of_device(p->location)) return CUDA_ERROR_INVALID_VALUE;
  if (memory_taken + size > memory) return CUDA_ERROR_OUT_OF_MEMORY;
  memory_taken += size;
  *out = next++;
  handles[*out] = {size};
  return CUDA_SUCCESS;
}
void forget(std::map<CUmemGenericAllocationHandle, Created>::iterator handle) {
  memory_taken -= handle->second.size;
  handles.erase(handle);
}
CUresult release(CUmemGenericAllocationHandle handle) {
  const std::scoped_lock lock(mutex);
  const auto found = handles.find(handle);
  if (found == handles.end() || found->second.released) return CUDA_ERROR_INVALID_VALUE;
  found->second.released = true;
  for (const auto& [place, m] : mapped)
    if (m.handle == handle) return CUDA_SUCCESS;
  forget(found);
  return CUDA_SUCCESS;
}
CUresult map(CUdeviceptr place, size_t size, size_t offset, CUmemGenericAllocationHandle handle, unsigned long long) {
  const std::scoped_lock lock(mutex);
  const auto found = handles.find(handle);
  if (found == handles.end() || found->second.size != size || offset != 0 || mapped.contains(place))
    return CUDA_ERROR_INVALID_VALUE;
  mapped[place] = {size, handle};
  return CUDA_SUCCESS;
}
CUresult unmap(CUdeviceptr place, size_t size) {
  const std::scoped_lock lock(mutex);
  const auto found = mapped.find(place);
  if (found == mapped.end() || found->second.size != size) return CUDA_ERROR_INVALID_VALUE;
  const auto handle = handles.find(found->second.handle);
  mapped.erase(found);
  if (handle->second.released) forget(handle);
  const void* const hidden =
      mmap(at(place), size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  return hidden == MAP_FAILED ? CUDA_ERROR_UNKNOWN : CUDA_SUCCESS;
}
CUresult set_access(CUdeviceptr place, size_t size, const CUmemAccessDesc* access, size_t n) {
  const std::scoped_lock lock(mutex);
  const auto found = mapped.find(place);
  if (found == mapped.end() || found->second.size != size || n != 1 || !is_of_device(access->location) ||
      access->flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
    return CUDA_ERROR_INVALID_VALUE;
  mprotect(at(place), size, PROT_READ | PROT_WRITE);
  std::memset(at(place), 0xFF, size);  // NaN in every dtype
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace emulator

namespace regimen::cudnn {

const Driver* load_driver() {
  using namespace emulator;
  static const Driver driver{get_granularity, reserve, free_addresses, create, release, map, unmap, set_access};
  return &driver;
}

}  // namespace regimen::cudnn
