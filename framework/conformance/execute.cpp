// execute.cpp - one call on one device, with memory that lives for this call only.
#include <fmt/format.h>

#include "base/error.hpp"
#include "judge.hpp"

namespace rgm::conformance {
namespace {

// Allocating, copying and waiting are not what is tested: when they fail, the run ends.
void check(rgm_status status, const char* what, const Options& options) {
  if (status != RGM_OK)
    throw Error(status, fmt::format("conformance: {} failed: {}", what,
                                    options.last_error ? options.last_error() : fmt::format("status {}", status)));
}

class Memory {
 public:
  Memory(const Device& device, const Options& options) : device_(device), options_(options) {
    check(device.table->queue_new(device.device, &queue), "queue_new", options);
  }
  ~Memory() {
    for (std::byte* p : blocks) device_.table->free(device_.device, p);
    device_.table->queue_free(queue);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void add(const Bytes& bytes) {
    void* block = nullptr;
    check(device_.table->alloc(device_.device, bytes.size(), &block), "alloc", options_);
    blocks.push_back(static_cast<std::byte*>(block));
    require(reinterpret_cast<uintptr_t>(block) % 256 == 0, "conformance: alloc gave memory that is not aligned to 256");
    check(device_.table->upload(queue, block, bytes.data(), bytes.size()), "upload", options_);
  }
  Bytes read(size_t block, size_t size) const {
    Bytes out(size);
    check(device_.table->download(queue, out.data(), blocks[block], size), "download", options_);
    return out;
  }

  rgm_queue* queue = nullptr;
  std::vector<std::byte*> blocks{};

 private:
  const Device& device_;
  const Options& options_;
};

}  // namespace

Outcome execute(const Device& device, const Trial& trial, const Call& call, const Options& options) {
  Outcome outcome;
  const rgm_kernels& kernels = *device.table->kernels(device.device);
  Memory memory(device, options);
  for (const Array& a : trial.arrays) memory.add(a.initial);
  const Views views(trial.arrays, memory.blocks);
  outcome.status = call(kernels, memory.queue, views);
  if (outcome.status == RGM_OK) {
    outcome.status = device.table->wait(memory.queue);
    outcome.at_wait = outcome.status != RGM_OK;
  }
  if (outcome.status != RGM_OK)
    outcome.reason = options.last_error ? options.last_error() : fmt::format("status {}", outcome.status);
  for (size_t i = 0; i < trial.arrays.size(); ++i)
    outcome.memory.push_back(memory.read(i, trial.arrays[i].initial.size()));
  return outcome;
}

}  // namespace rgm::conformance
