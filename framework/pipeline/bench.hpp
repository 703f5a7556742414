// bench.hpp - how fast a stage trains or decodes on a device, beside the plain products of its shapes.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>

#include "pipeline/pipeline.hpp"

namespace rgm {

struct BenchOptions {
  std::string stage;              // empty: the first that trains
  double seconds = 10;            // of steps, at least five
  bool profile = false;           // every kernel is timed as well
  std::optional<int64_t> decode;  // instead of training, this many sequences side by side
  int64_t prompt = 0;             // with decode: behind prompts of their own, of so many tokens; the whole is timed
};

// One object: backend stage parameters row (its tokens) tokens_per_second step_ms model_gflops matmul_gflops efficiency
// peak_memory_bytes start_ms, the formula of model_gflops, what the measured steps asked of memory (steps allocations
// page_faults), held_device_bytes of a backend that keeps what is freed, and with `profile` kernels: [{kernel calls ms
// share gflops}] of a step. Decoding has sequences weight_bytes cache_bytes (keys and values that a step reads)
// read_gigabytes_per_second read_efficiency in the place of start_ms, at the end of rows of `row` tokens; behind
// prompts, which is what a rollout does, sequences prompt_tokens new_tokens, and step_ms is that of all of them. Leaves
// nothing on disk.
nlohmann::ordered_json bench_stage(const Pipeline& pipeline, const BenchOptions& options, Registry& registry);

// An array with one such object for every stage that trains, in their order, each tried as if it were alone; one
// that needs what an earlier stage leaves is left out, with a warning.
nlohmann::ordered_json bench_stages(const Pipeline& pipeline, const BenchOptions& options, Registry& registry);

}  // namespace rgm
