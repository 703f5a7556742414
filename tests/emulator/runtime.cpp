// runtime.cpp - the part of CUDA's runtime that the backend uses, over the host's memory. Work that is enqueued runs
// when somebody waits for it and not before: what is read too early, or freed too early, shows. The device has
// $EMULATED_GPU_MEMORY bytes, and falls away after $EMULATED_GPU_LIFE pieces of work: all fails from there on, and
// while $EMULATED_GPU_GONE is set. With $EMULATED_GPU_UNPINNED no memory of the host can be pinned. Graphs that are
// launched leave a byte each in the file $EMULATED_GPU_GRAPHS.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "emulator.hpp"

struct CUgraph_st {
  std::vector<std::function<void()>> work;
};
struct CUgraphExec_st : CUgraph_st {};
struct CUstream_st {
  std::deque<std::function<void()>> work;
  size_t enqueued = 0, ran = 0;
  std::unique_ptr<CUgraph_st> captured;  // where what is enqueued goes meanwhile
  bool broken = false;                   // something was asked that cannot be captured
};
struct CUevent_st {
  cudaStream_t stream = nullptr;
  size_t after = 0;  // so much of the stream's work
};

namespace {

constexpr size_t most_poisoned = size_t{4} << 20;  // the products' workspace is larger, and nobody reads it here
constexpr size_t default_shared = 48 << 10, most_shared = 227 << 10;
constexpr size_t own_shared = 1 << 10;  // for the variables that a kernel declares, which nobody counts here
thread_local cudaError_t last_error = cudaSuccess;
std::recursive_mutex running;
std::set<CUstream_st*> streams;
std::map<const void*, size_t> pinned;  // where it begins, and its size
std::map<const void*, size_t> shared_of;
std::map<const void*, size_t> allocated;  // by cudaMalloc
CUstream_st& default_stream() {
  static CUstream_st stream;
  return stream;
}

size_t number(const char* name, size_t otherwise) {
  const char* const text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}
const size_t life = number("EMULATED_GPU_LIFE", SIZE_MAX);
size_t lived = 0;
bool is_gone() { return lived > life || std::getenv("EMULATED_GPU_GONE"); }

cudaError_t told(cudaError_t error) {
  if (is_gone()) return cudaErrorLaunchFailure;
  if (error != cudaSuccess) last_error = error;
  return error;
}

void run_until(CUstream_st& stream, size_t n) {
  const std::scoped_lock lock(running);
  while (stream.ran < n && !stream.work.empty()) {
    const std::function<void()> work = std::move(stream.work.front());
    stream.work.pop_front();
    ++stream.ran;
    ++lived;
    if (!is_gone()) work();
  }
}
void run_all() {
  const std::scoped_lock lock(running);
  run_until(default_stream(), SIZE_MAX);
  for (CUstream_st* stream : streams) run_until(*stream, SIZE_MAX);
}
CUstream_st& stream_of(cudaStream_t stream) { return stream ? *stream : default_stream(); }

bool is_pinned(const void* p) {
  const auto above = pinned.upper_bound(p);
  if (above == pinned.begin()) return false;
  const auto& [begin, size] = *std::prev(above);
  return static_cast<const char*>(p) < static_cast<const char*>(begin) + size;
}

void* poisoned(size_t bytes) {
  void* const memory = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
  if (memory) std::memset(memory, 0xFF, std::min(bytes, most_poisoned));  // NaN in every dtype
  return memory;
}

}  // namespace

namespace emulator {

size_t memory = number("EMULATED_GPU_MEMORY", size_t{4} << 30), memory_taken = 0;

bool has_fallen_away() { return is_gone(); }

void enqueue(cudaStream_t stream, std::function<void()> work) {
  const std::scoped_lock lock(running);
  CUstream_st& to = stream_of(stream);
  if (to.captured) return to.captured->work.push_back(std::move(work));
  to.work.push_back(std::move(work));
  ++to.enqueued;
}

bool accepts(const Launch& l, const void* kernel) {
  const unsigned threads = l.block.x * l.block.y * l.block.z;
  const auto more = shared_of.find(kernel);
  const bool fits = threads > 0 && threads <= 1024 && l.block.z <= 64 && l.grid.x > 0 && l.grid.y > 0 && l.grid.z > 0 &&
                    l.grid.x <= 0x7FFFFFFF && l.grid.y <= 65535 && l.grid.z <= 65535 &&
                    l.shared <= (more == shared_of.end() ? default_shared - own_shared : more->second);
  if (!fits) last_error = cudaErrorInvalidConfiguration;
  return fits;
}

}  // namespace emulator

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {  // where the GPU is the thread's already, nobody asks it
  return device == 0 ? cudaSuccess : told(cudaErrorInvalidDevice);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int device) {
  if (device != 0) return told(cudaErrorInvalidDevice);
  *out = {};
  std::snprintf(out->name, sizeof out->name, "a GPU in software");
  out->totalGlobalMem = emulator::memory;
  out->major = 9;
  out->multiProcessorCount = 4;  // so few that grids stride
  out->sharedMemPerBlockOptin = most_shared;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = emulator::memory;
  *free = emulator::memory - emulator::memory_taken;
  return cudaSuccess;
}
const char* cudaGetErrorString(cudaError_t error) {
  if (error == cudaErrorLaunchFailure) return "unspecified launch failure";
  return error == cudaErrorInvalidConfiguration ? "invalid configuration argument" : "an error of the emulated GPU";
}
cudaError_t cudaGetLastError() {
  const cudaError_t last = std::exchange(last_error, cudaSuccess);
  return is_gone() ? cudaErrorLaunchFailure : last;  // which stays
}
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute what, int value) {
  if (what != cudaFuncAttributeMaxDynamicSharedMemorySize || value > static_cast<int>(most_shared - own_shared))
    return told(cudaErrorInvalidValue);
  shared_of[kernel] = static_cast<size_t>(value);
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** out, size_t bytes) {
  const std::scoped_lock lock(running);
  *out = emulator::memory_taken + bytes > emulator::memory ? nullptr : poisoned(bytes);
  if (!*out) return told(cudaErrorMemoryAllocation);
  emulator::memory_taken += allocated[*out] = bytes;
  return told(cudaSuccess);
}
cudaError_t cudaFree(void* memory) {
  run_all();  // as CUDA does
  const std::scoped_lock lock(running);
  if (memory) emulator::memory_taken -= allocated.extract(memory).mapped();
  std::free(memory);
  return told(cudaSuccess);
}
cudaError_t cudaMallocHost(void** out, size_t bytes) {
  const std::scoped_lock lock(running);
  *out = std::getenv("EMULATED_GPU_UNPINNED") ? nullptr : poisoned(bytes);
  if (*out) pinned[*out] = bytes;
  return told(*out ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaHostAlloc(void** out, size_t bytes, unsigned) { return cudaMallocHost(out, bytes); }
cudaError_t cudaHostGetDevicePointer(void** out, void* memory, unsigned) {
  *out = memory;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
  run_all();
  const std::scoped_lock lock(running);
  pinned.erase(memory);
  std::free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (kind == cudaMemcpyHostToDevice && !is_pinned(from)) {  // CUDA copies it aside before it returns
    auto aside =
        std::make_shared<std::vector<char>>(static_cast<const char*>(from), static_cast<const char*>(from) + bytes);
    emulator::enqueue(stream, [to, aside] { std::memcpy(to, aside->data(), aside->size()); });
  } else {
    emulator::enqueue(stream, [=] { std::memmove(to, from, bytes); });
  }
  return told(cudaSuccess);
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  emulator::enqueue(stream, [=] { std::memset(to, value, bytes); });
  return told(cudaSuccess);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* out, unsigned) {
  const std::scoped_lock lock(running);
  *out = new CUstream_st;
  streams.insert(*out);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream_of(stream).captured) {
    stream_of(stream).broken = true;
    return told(cudaErrorStreamCaptureUnsupported);
  }
  run_until(stream_of(stream), SIZE_MAX);
  return told(cudaSuccess);
}
cudaError_t cudaDeviceSynchronize() {
  const std::scoped_lock lock(running);
  for (CUstream_st* stream : streams)
    if (stream->captured) {
      stream->broken = true;
      return told(cudaErrorStreamCaptureUnsupported);
    }
  run_all();
  return told(cudaSuccess);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::scoped_lock lock(running);
  run_until(*stream, SIZE_MAX);
  streams.erase(stream);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->captured || is_gone()) return told(cudaErrorIllegalState);
  stream->captured = std::make_unique<CUgraph_st>();
  stream->broken = false;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* out) {
  *out = nullptr;
  if (!stream->captured) return told(cudaErrorIllegalState);
  const std::unique_ptr<CUgraph_st> captured = std::move(stream->captured);
  if (stream->broken) return told(cudaErrorStreamCaptureInvalidated);
  *out = new CUgraph_st(*captured);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long) {
  *out = new CUgraphExec_st{*graph};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  for (const std::function<void()>& work : graph->work) emulator::enqueue(stream, work);
  if (const char* const file = std::getenv("EMULATED_GPU_GRAPHS")) std::ofstream(file, std::ios::app) << '.';
  return told(cudaSuccess);
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  run_all();
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* out, unsigned) {
  *out = new CUevent_st;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->stream = stream;
  event->after = stream_of(stream).enqueued;
  return told(cudaSuccess);
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::scoped_lock lock(running);
  const bool is_there = !event->stream || streams.contains(event->stream);  // else its work was done when it went
  if (is_there) run_until(stream_of(event->stream), event->after);
  return told(cudaSuccess);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

}  // extern "C"
