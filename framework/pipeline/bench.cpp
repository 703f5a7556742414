// bench.cpp - steps of a stage under a clock: what the host adds to plain products is what is left to gain.
#include "pipeline/bench.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>

#include "base/log.hpp"
#include "base/memory.hpp"
#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "pipeline/aside.hpp"
#include "pipeline/device.hpp"
#include "pipeline/open_stage.hpp"
#include "pipeline/product_time.hpp"
#include "pipeline/record.hpp"
#include "tensor/kernel_profile.hpp"

namespace rgm {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

// Since the program was started, to the hundredth of a second that the system keeps.
double seconds_of_process() {
  std::ifstream in("/proc/self/stat");
  std::string all((std::istreambuf_iterator<char>(in)), {});
  std::istringstream fields(all.substr(all.rfind(')') + 1));  // from the third field on: the name may have spaces
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 -
         std::stod(field) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double median(std::vector<double> all) {
  std::ranges::sort(all);
  const size_t half = all.size() / 2;
  return all.size() % 2 ? all[half] : (all[half - 1] + all[half]) / 2;
}

double rounded(double x) { return std::stod(fmt::format("{:.4g}", x)); }

// By the time they take, what is below a thousandth left out.
Json table_of(const std::map<std::string, KernelTime>& times, double steps) {
  std::vector<std::pair<std::string, KernelTime>> all(times.begin(), times.end());
  std::ranges::sort(all, [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  double total = 0;
  for (const auto& one : all) total += one.second.seconds;
  Json out = Json::array();
  for (const auto& [name, t] : all) {
    if (t.seconds < total / 1000) break;
    Json& row = out.emplace_back(Json{{"kernel", name},
                                      {"calls", rounded(static_cast<double>(t.calls) / steps)},
                                      {"ms", rounded(t.seconds * 1e3 / steps)},
                                      {"share", rounded(t.seconds / total)}});
    if (t.operations > 0) row["gflops"] = rounded(t.operations / t.seconds * 1e-9);
  }
  return out;
}

bool trains(const Stage& stage) { return stage.strategy.component->table<rgm_strategy>().loss != nullptr; }

size_t chosen(const Pipeline& pipeline, const std::string& name) {
  for (size_t i = 0; i < pipeline.stages.size(); ++i) {
    const Stage& stage = pipeline.stages[i];
    if (name.empty() ? trains(stage) : stage.name == name) return i;
  }
  if (name.empty()) invalid("bench: no stage of pipeline \"{}\" trains", pipeline.name);
  invalid("bench: pipeline \"{}\" has no stage \"{}\"", pipeline.name, name);
}

// Of all threads since the start. A steady step has none: its memory is there, and is not asked for again.
uint64_t page_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_minflt + usage.ru_majflt);
}

constexpr int unmeasured_steps = 2, measured_steps = 5;

struct Measured {
  std::vector<double> seconds;           // of each step
  double start = 0;                      // of the program until the first was done
  double tokens = 0;                     // a step, on average
  uint64_t allocations = 0, faults = 0;  // in the measured steps: blocks asked of the backend, page faults
  Json kernels;
};

Measured measure(OpenedStage& opened, const BenchOptions& options, Device& device) {
  Measured out;
  std::optional<KernelProfile> profile;
  auto last = Clock::now();
  const auto begin = last;
  TrainSetup& setup = opened.setup;
  setup.settings.steps = int64_t{1} << 40;
  setup.settings.schedule = {};
  setup.settings.sample_prompt.clear();
  setup.settings.evaluate_every = setup.settings.checkpoint_every = 0;
  setup.settings.checkpoint_minutes = 0;
  setup.settings.keep = "last";
  setup.sources.erase("validation");
  setup.after_step = [&](int64_t step, int64_t tokens) {
    device.wait();
    const auto now = Clock::now();
    if (step == 1) out.start = seconds_of_process();
    if (step > unmeasured_steps) out.seconds.push_back(std::chrono::duration<double>(now - last).count());
    if (step == unmeasured_steps) {
      if (options.profile) profile.emplace(device);
      out.allocations = device.allocations();
      out.faults = page_faults();
    }
    out.tokens = static_cast<double>(tokens) / static_cast<double>(step);
    last = Clock::now();
    const bool goes_on =
        out.seconds.size() < measured_steps || std::chrono::duration<double>(last - begin).count() < options.seconds;
    if (!goes_on) {
      out.allocations = device.allocations() - out.allocations;
      out.faults = page_faults() - out.faults;
    }
    return goes_on;
  };
  train(setup);
  if (profile) out.kernels = table_of(profile->times(), static_cast<double>(out.seconds.size()));
  return out;
}

Json train_bench(OpenedStage& opened, const BenchOptions& options, Device& device) {
  const TrainSettings settings = opened.setup.settings;
  const Model& model = *opened.model;
  const Measured measured = measure(opened, options, device);
  const double step = median(measured.seconds), tokens = measured.tokens;
  const double row = tokens / static_cast<double>(settings.batch);
  const double operations = tokens * model.flops_per_token(static_cast<int64_t>(row));
  const uint64_t memory = peak_memory(), on_device = device.peak_bytes(), held = device.held();
  const int64_t together = settings.micro_batch > 0 ? settings.micro_batch : settings.batch;
  const auto rows = static_cast<int64_t>(row * static_cast<double>(together));
  const double products =
      product_time(model.products(), rows, /*backward=*/true, options.seconds / 50, model.dtype()).rate();
  Json out = {{"row", std::llround(row)},
              {"tokens_per_second", rounded(tokens / step)},
              {"step_ms", rounded(step * 1e3)},
              {"model_gflops", rounded(operations / step * 1e-9)},
              {"matmul_gflops", rounded(products * 1e-9)},
              {"efficiency", rounded(operations / step / products)},
              {"peak_memory_bytes", memory},
              {"peak_device_bytes", on_device},
              {"start_ms", std::round(measured.start * 1e3)},
              {"steps", measured.seconds.size()},
              {"allocations", measured.allocations},
              {"page_faults", measured.faults},
              {"formula", fmt::format("model_gflops: {:.4g} a step = {:.0f} tokens x 6 x (parameters in products + "
                                      "layers x heads x width x (row of {:.0f} + 1))",
                                      operations * 1e-9, tokens, row)}};
  if (held > 0) out["held_device_bytes"] = held;
  if (options.profile) out["kernels"] = measured.kernels;
  return out;
}

// A prompt of one token, so that every step is a step of decoding; the middle of the context is where most are.
Json decode_bench(const Model& model, const BenchOptions& options, Device& device) {
  const int64_t sequences = *options.decode;
  Sampling sampling;
  sampling.answers = sequences;
  sampling.temperature = 0;
  sampling.end_at_end_of_text = false;
  sampling.max_tokens = std::min<int64_t>(model.config().context - 1, 128);
  require(sampling.max_tokens >= unmeasured_steps + measured_steps,
          "bench: a context of {} is too short to decode in, at least {} are needed", model.config().context,
          unmeasured_steps + measured_steps + 1);
  std::vector<double> seconds, turns, reads;  // of a step; in the second half, in turns with passes over memory
  std::optional<KernelProfile> profile;
  std::optional<ReadTest> read;
  Json kernels;
  uint64_t memory = 0;
  int64_t seen = 0;
  auto last = Clock::now();
  generate(model, {{0}}, sampling, false, [&](int64_t, int32_t) {
    if (++seen % sequences != 0) return;
    const double step = std::chrono::duration<double>(Clock::now() - last).count();
    const int64_t steps = seen / sequences;
    if (steps > unmeasured_steps) (read ? turns : seconds).push_back(step);
    if (steps == unmeasured_steps && options.profile) profile.emplace(device);
    if (steps == unmeasured_steps + (sampling.max_tokens - unmeasured_steps) / 2) {
      if (profile) kernels = table_of(profile->times(), static_cast<double>(seconds.size()));
      profile.reset();
      memory = peak_memory();
      read.emplace();
    }
    if (read) reads.push_back(read->seconds());
    last = Clock::now();
  });
  read.reset();
  const double rate = static_cast<double>(ReadTest::bytes) / median(reads), turn = median(turns);
  const double step = median(seconds);
  double operations = 0, bytes = 0;
  for (const ProductShape& s : model.products()) {
    operations += 2 * static_cast<double>(s.in * s.out * s.count * sequences);
    bytes += s.bytes * static_cast<double>(s.count);
  }
  const double products =
      product_time(model.products(), sequences, /*backward=*/false, options.seconds / 50, model.dtype()).rate();
  Json out = {{"sequences", sequences},
              {"tokens_per_second", rounded(static_cast<double>(sequences) / step)},
              {"step_ms", rounded(step * 1e3)},
              {"model_gflops", rounded(operations / step * 1e-9)},
              {"matmul_gflops", rounded(products * 1e-9)},
              {"efficiency", rounded(operations / step / products)},
              {"weight_bytes", bytes},
              {"read_gigabytes_per_second", rounded(rate * 1e-9)},
              {"read_efficiency", rounded(bytes / turn / rate)},
              {"peak_memory_bytes", memory},
              {"formula", fmt::format("model_gflops: {:.4g} a step = {} sequences x 2 x parameters in products",
                                      operations * 1e-9, sequences)}};
  if (options.profile) out["kernels"] = kernels;
  return out;
}

// Prompts of random tokens and answers that are drawn, from the first product to the last token. Plain products: of all
// prompts at once, and of one token a sequence as often as there are new ones.
Json rollout_bench(const Model& model, const BenchOptions& options) {
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

Json bench_one(const Pipeline& pipeline, size_t index, const BenchOptions& options, Registry& registry) {
  const TemporaryFolder folder("bench");
  const DeviceScope scope;
  const Quiet quiet;
  reset_peak_memory();
  const Stage& stage = pipeline.stages[index];
  const auto device = open_device(pipeline.backend, registry);
  const Surroundings around{pipeline, registry, folder.path, folder.path / "cache", nullptr};
  std::optional<OpenedStage> opened(open_stage(stage, index, around));
  fs::create_directories(opened->setup.folder);
  Json out = {{"backend", device->id()}, {"stage", stage.name}, {"parameters", opened->parameters()}};
  if (!options.decode) {
    out.update(train_bench(*opened, options, *device));
    return out;
  }
  const ModelConfig config = opened->model->config();
  opened.reset();
  device->trim();
  reset_peak_memory();
  // Without a tokenizer any token may be drawn; nothing of it is trained.
  const auto model = Model::create(config, nullptr, 1, narrow_weights(stage));
  freeze(*model);
  model->pack();
  out.update(options.prompt > 0 ? rollout_bench(*model, options) : decode_bench(*model, options, *device));
  return out;
}

}  // namespace

Json bench_stage(const Pipeline& pipeline, const BenchOptions& options, Registry& registry) {
  return bench_one(pipeline, chosen(pipeline, options.stage), options, registry);
}

Json bench_stages(const Pipeline& pipeline, const BenchOptions& options, Registry& registry) {
  Json out = Json::array();
  for (size_t i = 0; i < pipeline.stages.size(); ++i)
    if (trains(pipeline.stages[i])) {
      log::info("{}: {}", pipeline.name, pipeline.stages[i].name);
      try {
        out.push_back(bench_one(pipeline, i, options, registry));
        out.back().erase("start_ms");  // of the program, not of the stage
      } catch (const Error& e) {       // such as one that goes on from a model of an earlier stage
        log::warning("{}: left out: {}", pipeline.stages[i].name, e.what());
      }
    }
  require(!out.empty(), "bench: no stage of pipeline \"{}\" could be tried", pipeline.name);
  return out;
}

}  // namespace rgm
