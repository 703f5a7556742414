// plan.cpp - steps of each stage on a device that only counts, a try of small ones, and how fast products are here.
#include "pipeline/plan.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "pipeline/aside.hpp"
#include "pipeline/device.hpp"
#include "pipeline/open_stage.hpp"
#include "pipeline/product_time.hpp"
#include "pipeline/record.hpp"
#include "tensor/dry_device.hpp"

namespace rgm {
namespace {

// Of what products alone would take, in a stage too large to try: the rest weighs less the larger the model is.
constexpr double efficiency = 0.85;
constexpr int64_t rows_to_time = 256;  // of products

bool reads_rows_of_a_stage(const Stage& stage, const fs::path& run) {
  for (const auto& [source, from] : stage.data_from_stage)
    if (!fs::exists(run / from / "rows.jsonl")) return true;
  return false;
}

// One on the way; at the last step the result is written instead.
bool writes_checkpoints(const TrainSettings& s, int64_t steps) {
  return (s.checkpoint_every > 0 && s.checkpoint_every < steps) || s.checkpoint_minutes > 0;
}

// Two steps as they would be, with what a stage writes; the second finds the memory that the first has left. Answers
// the seconds of the second.
double two_steps(OpenedStage& opened, const fs::path& folder, bool writes) {
  TrainSetup& setup = opened.setup;
  const TrainSettings kept = setup.settings;
  const int64_t steps = steps_of(setup);
  setup.settings.steps = 2;
  setup.settings.sample_tokens = std::min<int64_t>(kept.sample_tokens, 2);  // what a sample needs, it needs at once
  setup.settings.checkpoint_every = writes && writes_checkpoints(kept, steps) ? 1 : 0;
  setup.settings.checkpoint_minutes = 0;
  setup.settings.keep = "last";
  setup.folder = folder;
  std::vector<std::chrono::steady_clock::time_point> ends;
  setup.after_step = [&](int64_t, int64_t) {
    current_device().wait();
    ends.push_back(std::chrono::steady_clock::now());
    return true;
  };
  auto held_out = setup.sources.extract("validation");
  fs::create_directories(folder / "model");
  train(setup);
  if (writes) opened.model->save(folder / "model");
  if (held_out) setup.sources.insert(std::move(held_out));
  setup.settings = kept;
  setup.after_step = {};
  return ends.size() < 2 ? 0 : std::chrono::duration<double>(ends[1] - ends[0]).count();
}

// The most memory that the process takes, from the counts of a device that does nothing. A backend's own scratch memory
// is not in it, which only the backend knows.
uint64_t dry_memory(OpenedStage& opened, const fs::path& folder, const Device& dry) {
  two_steps(opened, folder, /*writes=*/false);
  return dry_peak_bytes(dry) + peak_memory();
}

// Small steps are tried on the device itself, which tells the backend's own memory and the time too.
bool is_small(const StagePlan& plan) {
  const auto free = static_cast<uint64_t>(::sysconf(_SC_AVPHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const double step_seconds = *plan.seconds / static_cast<double>(std::max<int64_t>(1, plan.steps));
  return *plan.memory_bytes < std::min<uint64_t>(free / 2, uint64_t{4} << 30) && step_seconds < 2;
}

void try_out(const Stage& stage, size_t index, const Surroundings& around, StagePlan& out) {
  reset_peak_memory();
  OpenedStage opened = open_stage(stage, index, around);
  const double step = two_steps(opened, around.run / (stage.name + "-tried"), /*writes=*/true);
  out.memory_bytes = peak_memory();
  if (step > 0) out.seconds = step * static_cast<double>(out.steps);
}

// Answers the model that the stage would leave; it lies on the device that only counts.
std::shared_ptr<Model> plan_stage(const Stage& stage, size_t index, const Surroundings& around,
                                  const std::shared_ptr<Device>& real, StagePlan& out) {
  const Quiet quiet;
  const auto dry = make_dry_device(*real);
  set_current_device(dry);
  reset_peak_memory();
  std::shared_ptr<Model> model;
  {
    OpenedStage opened = open_stage(stage, index, around);
    model = opened.model;
    out.parameters = opened.parameters();
    out.trained = opened.trained_parameters();
    for (const auto& [name, source] : opened.setup.sources) out.data[name] = source->tokens();
    out.steps = steps_of(opened.setup);
    if (opened.setup.strategy->rollout) {
      out.unknown = "depends on what the model answers";
      return model;
    }
    const Source& main = *opened.setup.sources.at(opened.setup.main_source);
    out.tokens = static_cast<int64_t>(static_cast<double>(main.tokens()) / static_cast<double>(main.units()) *
                                      static_cast<double>(out.steps * stage.batch));
    out.memory_bytes = dry_memory(opened, around.run / stage.name, *dry);
    out.trained = opened.trained_parameters();
    set_current_device(real);
    const double rate = product_time(model->products(), rows_to_time, /*backward=*/true, 0.02, model->dtype()).rate();
    out.seconds = static_cast<double>(out.tokens) * opened.setup.flops_per_token / (rate * efficiency);
  }
  set_current_device(real);
  if (is_small(out)) try_out(stage, index, around, out);
  return model;
}

}  // namespace

std::vector<StagePlan> plan(const Pipeline& pipeline, Registry& registry) {
  const TemporaryFolder folder("plan");
  const DeviceScope scope;
  const auto device = open_device(pipeline.backend, registry);
  std::map<std::string, std::shared_ptr<Model>> planned;
  const Surroundings around{pipeline, registry, folder.path, folder.path / "cache", &planned};
  std::vector<StagePlan> out;
  for (size_t i = 0; i < pipeline.stages.size(); ++i) {
    const Stage& stage = pipeline.stages[i];
    StagePlan& one = out.emplace_back();
    one.name = stage.name;
    one.strategy = stage.strategy.id;
    one.batch_rows = stage.batch;
    if (reads_rows_of_a_stage(stage, folder.path)) {
      one.unknown = "reads rows that an earlier stage has yet to write";
      continue;
    }
    planned[stage.name] = plan_stage(stage, i, around, device, one);
    set_current_device(device);
  }
  return out;
}

}  // namespace rgm
