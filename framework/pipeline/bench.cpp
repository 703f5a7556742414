// bench.cpp - steps of a stage under a clock: what the host adds to plain products is what is left to gain.
#include "pipeline/bench.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <fstream>

#include "base/log.hpp"
#include "base/memory.hpp"
#include "pipeline/aside.hpp"
#include "pipeline/bench_parts.hpp"
#include "pipeline/device.hpp"
#include "pipeline/micro_batch.hpp"
#include "pipeline/open_stage.hpp"
#include "pipeline/product_time.hpp"
#include "pipeline/reader.hpp"
#include "pipeline/record.hpp"
#include "pipeline/rehearse.hpp"
#include "tensor/kernel_profile.hpp"

namespace rgm {
namespace {

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

struct Measured {
  std::vector<double> seconds;           // of each step
  double start = 0;                      // of the program until the first was done
  double tokens = 0;                     // a step, on average
  uint64_t allocations = 0, faults = 0;  // in the measured steps: blocks asked of the backend, page faults
  Figures kernels;
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
  setup.choices.clear();
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
  if (profile) out.kernels = kernel_table(profile->times(), static_cast<double>(out.seconds.size()));
  return out;
}

Figures train_bench(OpenedStage& opened, const BenchOptions& options, Device& device) {
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
  Figures out = {{"row", std::llround(row)},
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

Figures bench_one(const Pipeline& pipeline, size_t index, const BenchOptions& options, Registry& registry) {
  const TemporaryFolder folder("bench");
  const DeviceScope scope;
  const Quiet quiet;
  reset_peak_memory();
  const Stage& given = pipeline.stages[index];
  const auto device = open_device(pipeline.backend, registry);
  // A stage that goes on from an earlier one's model has one of that shape, without its adapters: how fast it is, its
  // values do not say.
  const bool goes_on = !given.model.from_stage.empty();
  PlannedModels planned;
  if (goes_on) planned = models_before(index, pipeline, registry, folder.path / "cache", *device);
  require(!goes_on || planned.contains(given.model.from_stage),
          "stage \"{}\": stage \"{}\", whose model it takes, cannot be opened: see `regimen check`", given.name,
          given.model.from_stage);
  const Surroundings around{pipeline, registry, folder.path, folder.path / "cache", goes_on ? &planned : nullptr};
  const Stage stage = with_rows_at_once(given, index, around);
  std::optional<OpenedStage> opened(open_stage(stage, index, around));
  fs::create_directories(opened->setup.folder);
  Figures out = {{"backend", device->id()}, {"stage", stage.name}, {"parameters", opened->parameters()}};
  if (const int64_t idle = opened->model->idle_parameters())
    out["active_parameters"] = opened->parameters() - idle;  // those that a token meets
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
  if (stage.precision == "bfloat16") model->use_bfloat16();
  model->pack();
  out.update(options.prompt > 0 ? rollout_bench(*model, options) : decode_bench(*model, options, *device));
  return out;
}

}  // namespace

Figures bench_stage(const Pipeline& pipeline, const BenchOptions& options, Registry& registry) {
  return bench_one(pipeline, chosen(pipeline, options.stage), options, registry);
}

Figures bench_stages(const Pipeline& pipeline, const BenchOptions& options, Registry& registry) {
  Figures out = Figures::array();
  for (size_t i = 0; i < pipeline.stages.size(); ++i)
    if (trains(pipeline.stages[i])) {
      log::info("{}: {}", pipeline.name, pipeline.stages[i].name);
      try {
        out.push_back(bench_one(pipeline, i, options, registry));
        out.back().erase("start_ms");  // of the program, not of the stage
      } catch (const Error& e) {       // such as one that reads rows of an earlier stage
        log::warning("{}: left out: {}", pipeline.stages[i].name, e.what());
      }
    }
  require(!out.empty(), "bench: no stage of pipeline \"{}\" could be tried", pipeline.name);
  return out;
}

}  // namespace rgm
