// device.hpp - what open() makes: one GPU with its libraries; and queues, each a stream with scratch memory, pinned
// memory for uploads, and a word in which kernels report what they cannot answer with a status.
#pragma once
#include <cuda_runtime_api.h>

#include <array>
#include <memory>
#include <mutex>
#include <regimen/backend.hpp>
#include <vector>

#include "arena.hpp"

namespace regimen::cudnn {

void check_cuda(cudaError_t error, const char* what);  // RGM_NO_MEMORY where that is what it says
void check_pinned(cudaError_t error, size_t bytes);    // of host memory that was to be pinned

// Device memory that only grows: the steady state allocates nothing. One slot a purpose, so that kernels can call
// others.
class RGM_PRIVATE Scratch {
 public:
  enum Slot {
    kWorkspace,
    kCopyA,
    kCopyB,
    kCopyY,
    kLogits,
    kHead,
    kSlopes,
    kGradient,
    kPartials,
    kKeys,
    kSort,
    kBias,
    kTable,
    kDelta,
    kAttention,
    kRounded,
    kMask,
    kSeesNone,
    kStats,
    kRest,
    kSlots
  };
  explicit Scratch(Arena& arena) : arena_(arena) {}
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* bytes(Slot slot, size_t n);
  // Blocks that are outgrown while somebody holds this, as captured work does, which goes on using them.
  class Outgrown;
  std::shared_ptr<Outgrown> outgrown();
  void release();  // all of it; what comes next begins anew

 private:
  struct Block {
    void* data = nullptr;
    size_t size = 0;
  };
  void give_up(Block& block);
  Arena& arena_;
  std::array<Block, kSlots> blocks_;
  std::weak_ptr<Outgrown> outgrown_;
};

// A ring of pinned memory: what is uploaded is copied here, so that the copy to the device needs no wait.
class Staging {
 public:
  static constexpr size_t size = size_t{32} << 20, largest = size / 8;
  ~Staging();
  void upload(void* to, const void* from, size_t bytes, cudaStream_t stream);  // bytes <= largest

 private:
  static constexpr size_t parts = 4, part_size = size / parts;
  void enter(size_t part, cudaStream_t stream);
  std::byte* memory_ = nullptr;
  std::array<cudaEvent_t, parts> free_{};  // when the part's uploads have left
  size_t at_ = 0, part_ = 0;
};

enum Fault : int { kNoFault, kIndexOutside, kTargetOutside, kPositionOutside };

class Products;    // prepared products, products.hpp
class Attentions;  // cuDNN's graphs, attention_cudnn.cpp
void leave_stream(Attentions& attentions);

// Of queues that have gone, for those to come: both take long to make.
struct Spare {
  std::mutex mutex;
  std::unique_ptr<Staging> staging;
  std::shared_ptr<Attentions> attentions;
};

}  // namespace regimen::cudnn

struct RGM_PRIVATE rgm_device {
  int index = 0, multiprocessors = 1, shared_memory = 48 << 10, capability = 0;
  size_t memory = 0;  // bytes
  bool may_capture = true, deterministic = true, narrow_logits = false;
  regimen::cudnn::Spare spare;
  regimen::cudnn::Lt lt;
  std::unique_ptr<regimen::cudnn::Arena> arena;
  std::mutex queues_mutex;
  std::vector<rgm_queue*> queues;  // that are open
};

struct RGM_PRIVATE rgm_queue {
  explicit rgm_queue(rgm_device* on);
  ~rgm_queue();
  rgm_queue(const rgm_queue&) = delete;
  rgm_queue& operator=(const rgm_queue&) = delete;
  void release_scratch();  // [any] unless it is in use
  rgm_device* device;
  std::recursive_mutex in_call;  // held by every kernel, which may call others
  cudaStream_t stream = nullptr;
  regimen::cudnn::Scratch scratch;
  std::unique_ptr<regimen::cudnn::Staging> staging;
  int *fault = nullptr, *fault_on_device = nullptr;  // one word, mapped
  bool captures = false;
  std::shared_ptr<regimen::cudnn::Scratch::Outgrown> outgrown;  // of what is captured
  std::vector<std::shared_ptr<void>> used;                      // by what is captured, beside memory
  std::shared_ptr<regimen::cudnn::Products> products;
  std::shared_ptr<regimen::cudnn::Attentions> attentions;
};

struct RGM_PRIVATE rgm_captured {
  cudaGraphExec_t graph = nullptr;
  std::shared_ptr<regimen::cudnn::Scratch::Outgrown> outgrown;
  std::vector<std::shared_ptr<void>> used;
};

namespace regimen::cudnn {

template <class T = void>
T* scratch(rgm_queue* q, Scratch::Slot slot, int64_t elements) {
  return static_cast<T*>(q->scratch.bytes(slot, static_cast<size_t>(elements) * sizeof(T)));
}

// Lets a kernel use so many bytes of shared memory that are named at its launch. The same for every shape, as captured
// work keeps what its launches asked for, and a later call must not lower it.
template <class F>
void let_use(F* run, int64_t bytes, const char* name) {
  check_cuda(cudaFuncSetAttribute(run, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)), name);
}

// A library says only that a call failed; where the GPU has fallen away, that is what is told. Nothing may wait while
// work is captured, and capture_end asks then.
[[noreturn]] void tell(const rgm_queue* q, const Error& failure, const char* name);

// What every kernel runs in: on the queue's GPU, and a launch that failed is told at once.
template <class F>
rgm_status kernel(rgm_queue* q, const char* name, F&& body) noexcept {
  return guard([&] {
    const std::lock_guard call(q->in_call);
    check_cuda(cudaSetDevice(q->device->index), name);
    try {
      body();
    } catch (const Error& failure) {
      tell(q, failure, name);
    }
    check_cuda(cudaGetLastError(), name);
  });
}

}  // namespace regimen::cudnn
