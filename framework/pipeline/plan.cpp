// plan.cpp - steps of each stage on a device that only counts, a try of small ones, and how fast products are here.
#include "pipeline/plan.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/log.hpp"
#include "pipeline/device.hpp"
#include "pipeline/open_stage.hpp"
#include "pipeline/product_rate.hpp"
#include "pipeline/record.hpp"
#include "tensor/dry_device.hpp"

namespace rgm {
namespace {

// Of what products alone would take: norms, attention's softmax, the optimizer and the host's work come on top.
constexpr double efficiency = 0.6;

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / fmt::format("regimen-plan-{}", ::getpid());
  TemporaryFolder() { fs::create_directories(path); }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

// Messages of a step that is not meant are not shown.
struct Quiet {
  Quiet() { log::set_level(log::Level::warning); }
  ~Quiet() { log::set_level(log::Level::info); }
};

bool reads_rows_of_a_stage(const Stage& stage, const fs::path& run) {
  for (const auto& [source, from] : stage.data_from_stage)
    if (!fs::exists(run / from / "rows.jsonl")) return true;
  return false;
}

// One on the way; at the last step the result is written instead.
bool writes_checkpoints(const TrainSettings& s, int64_t steps) {
  return (s.checkpoint_every > 0 && s.checkpoint_every < steps) || s.checkpoint_minutes > 0;
}

// Two steps as they would be, with what a stage writes; the second finds the memory that the first has left.
void two_steps(OpenedStage& opened, const fs::path& folder, bool writes) {
  TrainSetup& setup = opened.setup;
  const TrainSettings kept = setup.settings;
  const int64_t steps = steps_of(setup);
  setup.settings.steps = 2;
  setup.settings.sample_tokens = std::min<int64_t>(kept.sample_tokens, 2);  // what a sample needs, it needs at once
  setup.settings.checkpoint_every = writes && writes_checkpoints(kept, steps) ? 1 : 0;
  setup.settings.checkpoint_minutes = 0;
  setup.settings.keep = "last";
  setup.folder = folder;
  auto held_out = setup.sources.extract("validation");
  fs::create_directories(folder / "model");
  train(setup);
  if (writes) opened.model->save(folder / "model");
  if (held_out) setup.sources.insert(std::move(held_out));
  setup.settings = kept;
}

// The most memory that the process takes, from the counts of a device that does nothing. A backend's own scratch memory
// is not in it, which only the backend knows.
uint64_t dry_memory(OpenedStage& opened, const fs::path& folder, const Device& dry) {
  two_steps(opened, folder, /*writes=*/false);
  const TrainSettings& s = opened.setup.settings;
  const bool checkpoints = writes_checkpoints(s, steps_of(opened.setup));
  // On their way to disk: the weights, or with the two moments of AdamW.
  const auto copies = static_cast<uint64_t>(opened.trained_parameters()) * sizeof(float) * (checkpoints ? 3 : 1);
  return dry_peak_bytes(dry) + peak_memory() + copies;
}

// Small steps are tried on the device itself, which tells the backend's own memory too.
bool is_small(const StagePlan& plan) {
  const auto free = static_cast<uint64_t>(::sysconf(_SC_AVPHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const double step_seconds = *plan.seconds / static_cast<double>(std::max<int64_t>(1, plan.steps));
  return *plan.memory_bytes < std::min<uint64_t>(free / 2, uint64_t{4} << 30) && step_seconds < 2;
}

uint64_t tried_memory(const Stage& stage, size_t index, const Surroundings& around) {
  reset_peak_memory();
  OpenedStage opened = open_stage(stage, index, around);
  two_steps(opened, around.run / (stage.name + "-tried"), /*writes=*/true);
  return peak_memory();
}

// Answers the model that the stage would leave; it lies on the device that only counts.
std::shared_ptr<Model> plan_stage(const Stage& stage, size_t index, const Surroundings& around,
                                  const std::shared_ptr<Device>& real, StagePlan& out) {
  const Quiet quiet;
  const auto given = stage.model.sizes.find("channels");
  const double rate = product_rate(*real, given == stage.model.sizes.end() ? 128 : given->second);
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
    out.seconds = static_cast<double>(out.tokens) * opened.setup.flops_per_token / (rate * efficiency);
  }
  set_current_device(real);
  if (is_small(out)) out.memory_bytes = tried_memory(stage, index, around);
  return model;
}

}  // namespace

std::vector<StagePlan> plan(const Pipeline& pipeline, Registry& registry) {
  const TemporaryFolder folder;
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
