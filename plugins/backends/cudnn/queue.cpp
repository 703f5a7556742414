// queue.cpp - a stream with what belongs to it, some of which the next queue takes over.
#include "kernels.hpp"

using namespace regimen::cudnn;

rgm_queue::rgm_queue(rgm_device* on) : device(on), scratch(*on->arena) {
  check_cuda(cudaSetDevice(device->index), "queue");
  {
    const std::lock_guard lock(device->spare.mutex);
    staging = std::move(device->spare.staging);
    attentions = std::exchange(device->spare.attentions, nullptr);
  }
  if (!staging) staging = std::make_unique<Staging>();
  try {
    check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "queue");
    check_pinned(cudaHostAlloc(reinterpret_cast<void**>(&fault), sizeof(int), cudaHostAllocMapped), sizeof(int));
    *fault = kNoFault;
    check_cuda(cudaHostGetDevicePointer(reinterpret_cast<void**>(&fault_on_device), fault, 0), "queue");
    const std::lock_guard lock(device->queues_mutex);
    device->queues.push_back(this);
  } catch (...) {
    cudaFreeHost(fault);
    if (stream) cudaStreamDestroy(stream);
    throw;
  }
}

// Whatever is set to the stream leaves it before it goes.
rgm_queue::~rgm_queue() {
  {
    const std::lock_guard lock(device->queues_mutex);
    std::erase(device->queues, this);
  }
  cudaSetDevice(device->index);
  cudaStreamSynchronize(stream);
  if (attentions) leave_stream(*attentions);
  {
    const std::lock_guard lock(device->spare.mutex);
    device->spare.staging = std::move(staging);
    if (attentions) device->spare.attentions = std::move(attentions);
  }
  products.reset();
  cudaFreeHost(fault);
  cudaStreamDestroy(stream);
}

void rgm_queue::release_scratch() {
  const std::unique_lock idle(in_call, std::try_to_lock);
  if (idle && !captures) scratch.release();
}
