// memory.cpp - scratch that grows and is released, the pinned ring of uploads, and what CUDA's errors become.
#include "device.hpp"

namespace regimen::cudnn {

namespace {
// What is wrong with a call, as opposed to the GPU, which does no more then.
bool is_told_of_the_call(cudaError_t error) {
  switch (error) {
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorInvalidDevicePointer:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorLaunchOutOfResources:
    case cudaErrorNotSupported: return true;
    default: return error >= cudaErrorStreamCaptureUnsupported && error <= cudaErrorStreamCaptureWrongThread;
  }
}
}  // namespace

void check_cuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) [[likely]]
    return;
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it is dealt with
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw Error(RGM_NO_MEMORY, std::string(what) + ": the GPU has " + std::to_string(free >> 20) + " of " +
                                   std::to_string(total >> 20) + " MiB left");
  }
  throw Error(is_told_of_the_call(error) ? RGM_INTERNAL : RGM_DEVICE_ERROR,
              std::string(what) + ": " + cudaGetErrorString(error));
}

void check_pinned(cudaError_t error, size_t bytes) {
  if (error != cudaErrorMemoryAllocation) return check_cuda(error, "pinned memory");
  cudaGetLastError();  // it is dealt with
  const std::string size = bytes >> 20 ? std::to_string(bytes >> 20) + " MiB" : std::to_string(bytes) + " bytes";
  throw Error(
      RGM_DEVICE_ERROR,
      "the system has no " + size +
          " of pinned host memory to spare (not the GPU's); end other programs, or give the container more memory");
}

void tell(const rgm_queue* q, const Error& failure, const char* name) {
  if (failure.status() == RGM_INTERNAL && !q->captures) check_cuda(cudaStreamSynchronize(q->stream), name);
  throw failure;
}

class Scratch::Outgrown {
 public:
  explicit Outgrown(Arena& from) : arena(from) {}
  ~Outgrown() {
    for (void* block : blocks) arena.free(block);
  }
  Outgrown(const Outgrown&) = delete;
  Outgrown& operator=(const Outgrown&) = delete;
  Arena& arena;
  std::vector<void*> blocks;
};

std::shared_ptr<Scratch::Outgrown> Scratch::outgrown() {
  std::shared_ptr<Outgrown> all = outgrown_.lock();
  if (!all) outgrown_ = all = std::make_shared<Outgrown>(arena_);
  return all;
}

Scratch::~Scratch() {
  for (const Block& block : blocks_) arena_.free(block.data);
}

void Scratch::give_up(Block& block) {
  if (const auto kept = outgrown_.lock(); kept && block.data)
    kept->blocks.push_back(block.data);
  else
    arena_.free(block.data);
  block = {};
}

void Scratch::release() {
  for (Block& block : blocks_) give_up(block);
}

void* Scratch::bytes(Slot slot, size_t n) {
  Block& block = blocks_[slot];
  if (n <= block.size) return block.data;
  give_up(block);
  // Never so small that it would be CUDA's own: such a block may not be freed while work that is enqueued reads it.
  const size_t size = std::max((n + 511) / 512 * 512, Arena::small);
  block = {arena_.allocate(size), size};
  return block.data;
}

Staging::~Staging() {
  for (cudaEvent_t event : free_)
    if (event) cudaEventDestroy(event);
  cudaFreeHost(memory_);
}

void Staging::enter(size_t part, cudaStream_t stream) {
  check_cuda(cudaEventRecord(free_[part_], stream), "upload");
  part_ = part;
  at_ = part * part_size;
  check_cuda(cudaEventSynchronize(free_[part_]), "upload");
}

void Staging::upload(void* to, const void* from, size_t bytes, cudaStream_t stream) {
  if (!memory_) {
    check_pinned(cudaMallocHost(reinterpret_cast<void**>(&memory_), size), size);
    for (cudaEvent_t& event : free_) check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "upload");
  }
  if (at_ + bytes > (part_ + 1) * part_size) enter((part_ + 1) % parts, stream);
  std::memcpy(memory_ + at_, from, bytes);
  check_cuda(cudaMemcpyAsync(to, memory_ + at_, bytes, cudaMemcpyHostToDevice, stream), "upload");
  at_ += (bytes + 63) / 64 * 64;
}

}  // namespace regimen::cudnn
