// bench_decode.cpp - how fast a model writes, beside a read of what a step reads, or the products of a rollout.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/error.hpp"
#include "base/memory.hpp"
#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "pipeline/bench_parts.hpp"
#include "pipeline/product_time.hpp"

namespace rgm {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t longest_row = 1024, most_steps = 128;

// Keys and values that a token of a row with `length` tokens, itself included, looks at.
double cache_bytes(const Model& model, int64_t length) {
  const ModelConfig& config = model.config();
  const auto wide =
      static_cast<double>(2 * config.kv_heads * config.head_dim) * static_cast<double>(bytes_of(model.dtype()));
  double out = 0;
  for (size_t i = 0; i < static_cast<size_t>(config.layers); ++i) {
    const int64_t window = config.window(i);
    out += wide * static_cast<double>(window > 0 ? std::min(window, length) : length);
  }
  return out;
}

}  // namespace

// At the end of the context, or of its first 1,024 tokens, where a cache is read in full. What stands before is read
// once, by one row.
Figures decode_bench(const Model& model, const BenchOptions& options, Device& device) {
  const int64_t sequences = *options.decode;
  Sampling sampling;
  sampling.answers = sequences;
  sampling.temperature = 0;
  sampling.end_at_end_of_text = false;
  const int64_t context = std::min(model.config().context, longest_row);
  sampling.max_tokens = std::min(context - 1, most_steps);
  require(sampling.max_tokens >= unmeasured_steps + measured_steps,
          "bench: a context of {} is too short to decode in, at least {} are needed", context,
          unmeasured_steps + measured_steps + 1);
  const std::vector<int32_t> before(static_cast<size_t>(context - sampling.max_tokens), 0);
  std::vector<double> seconds, turns, reads, cached;  // of a step; in the second half, in turns with passes over memory
  std::optional<KernelProfile> profile;
  std::optional<ReadTest> read;
  Figures kernels;
  uint64_t memory = 0, on_device = 0;
  int64_t seen = 0;
  auto last = Clock::now();
  generate(model, {before}, sampling, false, [&](int64_t, int32_t) {
    if (++seen % sequences != 0) return;
    const double step = std::chrono::duration<double>(Clock::now() - last).count();
    const int64_t steps = seen / sequences;
    if (steps > unmeasured_steps) (read ? turns : seconds).push_back(step);
    if (read) cached.push_back(static_cast<double>(sequences) * cache_bytes(model, std::ssize(before) + steps - 1));
    if (steps == unmeasured_steps && options.profile) profile.emplace(device);
    if (steps == unmeasured_steps + (sampling.max_tokens - unmeasured_steps) / 2) {
      if (profile) kernels = kernel_table(profile->times(), static_cast<double>(seconds.size()));
      profile.reset();
      memory = peak_memory();
      on_device = device.peak_bytes();
      read.emplace();
    }
    if (read) reads.push_back(read->seconds());
    last = Clock::now();
  });
  read.reset();
  const double rate = static_cast<double>(ReadTest::bytes) / median(reads), turn = median(turns);
  const double step = median(seconds), cache = median(cached);
  double operations = 0, bytes = 0;
  for (const ProductShape& s : model.products()) {
    operations += 2 * static_cast<double>(s.in * s.out * s.count * sequences);
    bytes += s.bytes * s.read(sequences);
  }
  const double products =
      product_time(model.products(), sequences, /*backward=*/false, options.seconds / 50, model.dtype()).rate();
  Figures out = {{"sequences", sequences},
                 {"row", context},
                 {"tokens_per_second", rounded(static_cast<double>(sequences) / step)},
                 {"step_ms", rounded(step * 1e3)},
                 {"model_gflops", rounded(operations / step * 1e-9)},
                 {"matmul_gflops", rounded(products * 1e-9)},
                 {"efficiency", rounded(operations / step / products)},
                 {"weight_bytes", bytes},
                 {"cache_bytes", cache},
                 {"read_gigabytes_per_second", rounded(rate * 1e-9)},
                 {"read_efficiency", rounded((bytes + cache) / turn / rate)},
                 {"peak_memory_bytes", memory},
                 {"peak_device_bytes", on_device},
                 {"formula", fmt::format("model_gflops: {:.4g} a step = {} sequences x 2 x parameters in products",
                                         operations * 1e-9, sequences)}};
  if (options.profile) out["kernels"] = kernels;
  return out;
}

// Prompts of random tokens and answers that are drawn, from the first product to the last token. Plain products: of all
// prompts at once, and of one token a sequence as often as there are new ones.
Figures rollout_bench(const Model& model, const BenchOptions& options) {
  const ModelConfig& config = model.config();
  const int64_t sequences = *options.decode, context = config.context;
  Sampling sampling;
  sampling.end_at_end_of_text = false;
  sampling.max_tokens = std::min<int64_t>(context - options.prompt, 128);
  require(sampling.max_tokens > 0, "bench: prompts of {} tokens leave no room in a context of {}", options.prompt,
          context);
  std::vector<std::vector<int32_t>> prompts(static_cast<size_t>(sequences));
  for (size_t p = 0; p < prompts.size(); ++p)
    for (int64_t i = 0; i < options.prompt; ++i)
      prompts[p].push_back(
          static_cast<int32_t>(mix(p, static_cast<uint64_t>(i)) % static_cast<uint64_t>(model.config().vocabulary)));
  std::vector<double> seconds;
  const auto begin = Clock::now();
  while (seconds.size() < 2 || std::chrono::duration<double>(Clock::now() - begin).count() < options.seconds) {
    const auto start = Clock::now();
    generate(model, prompts, sampling);
    seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    sampling.seed++;
  }
  seconds.erase(seconds.begin());  // it warmed up
  const uint64_t memory = peak_memory();
  const auto products = [&](int64_t rows) {
    return product_time(model.products(), rows, /*backward=*/false, options.seconds / 50, model.dtype());
  };
  const ProductTime prompt = products(sequences * options.prompt), token = products(sequences);
  const auto steps = static_cast<double>(sampling.max_tokens);
  const double operations = prompt.operations + steps * token.operations, all = median(seconds);
  const double new_tokens = steps * static_cast<double>(sequences);
  return {{"sequences", sequences},
          {"prompt_tokens", options.prompt},
          {"new_tokens", sampling.max_tokens},
          {"tokens_per_second", rounded(new_tokens / all)},
          {"step_ms", rounded(all * 1e3)},
          {"model_gflops", rounded(operations / all * 1e-9)},
          {"matmul_gflops", rounded(operations / (prompt.seconds + steps * token.seconds) * 1e-9)},
          {"efficiency", rounded((prompt.seconds + steps * token.seconds) / all)},
          {"peak_memory_bytes", memory},
          {"rounds", seconds.size()}};
}

}  // namespace rgm
