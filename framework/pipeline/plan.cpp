// plan.cpp - steps of each stage on a device that only counts, a try of small ones, and how fast products are here.
#include "pipeline/plan.hpp"

#include <algorithm>
#include <cmath>

#include "base/memory.hpp"
#include "pipeline/aside.hpp"
#include "pipeline/device.hpp"
#include "pipeline/micro_batch.hpp"
#include "pipeline/product_time.hpp"
#include "pipeline/record.hpp"
#include "pipeline/two_steps.hpp"
#include "tensor/dry_device.hpp"
#include "train/muon.hpp"

namespace rgm {
namespace {

// Of what products alone would take, in a stage too large to try: the rest weighs less the larger the model is.
constexpr double efficiency = 0.85;
constexpr int64_t rows_to_time = 256;  // of products

// How fast the products of models are, timed once for each list of shapes.
class Rates {
 public:
  double of(const Model& model) {
    std::string shapes = fmt::format("{}", int{model.dtype()});
    for (const ProductShape& p : model.products()) shapes += fmt::format(" {} {} {}", p.in, p.out, p.count + p.experts);
    const auto [found, is_new] = known_.emplace(shapes, 0);
    if (is_new)
      found->second = product_time(model.products(), rows_to_time, /*backward=*/true, 0.02, model.dtype()).rate();
    return found->second;
  }

 private:
  std::map<std::string, double> known_;
};

bool reads_rows_of_a_stage(const Stage& stage, const fs::path& run) {
  for (const auto& [source, data] : stage.data)
    for (const DataSpec& part : parts_of(data))
      if (!part.from_stage.empty() && !fs::exists(run / part.from_stage / "rows.jsonl")) return true;
  return false;
}

// Small steps are tried on the device itself, which tells the backend's own memory and the time too.
bool is_small(uint64_t memory_bytes, double step_seconds) {
  return memory_bytes < std::min<uint64_t>(free_memory() / 2, uint64_t{4} << 30) && step_seconds < 2;
}

double work_of_step(const TrainSetup& setup, double tokens) {
  return tokens * setup.flops_per_token + muon_flops(setup.settings.optimizer, setup.parameters);
}

double evaluations_in_steps(const TrainSetup& setup, int64_t steps, double tokens_a_step) {
  const auto held_out = setup.sources.find("validation");
  if (held_out == setup.sources.end()) return 0;
  const double passes = tokens_a_step * setup.flops_per_token;
  return rgm::evaluations_in_steps(steps, steps_between_evaluations(setup),
                                   static_cast<double>(held_out->second->tokens()), tokens_a_step,
                                   passes / work_of_step(setup, tokens_a_step));
}

void try_out(const Stage& stage, size_t index, const Surroundings& around, StagePlan& out) {
  const Quiet quiet({log::Level::nothing, log::levels().work});  // it was told when the stage was opened to be counted
  reset_peak_memory();
  OpenedStage opened = open_stage(stage, index, around);
  const double step = two_steps(opened, around.run / (stage.name + "-tried"), /*writes=*/true);
  out.memory_bytes = peak_memory();
  const double tokens_a_step = static_cast<double>(out.tokens) / static_cast<double>(out.steps);
  if (step > 0)
    out.seconds =
        step * (static_cast<double>(out.steps) + evaluations_in_steps(opened.setup, out.steps, tokens_a_step));
}

// Not all parameters go by one rate and one optimizer.
bool tells_rates(const OptimizerSpec& optimizer) { return !optimizer.rates.empty() || optimizer.kind == "muon"; }

// What the strategy prepares is trained, too.
void count_trained(const OpenedStage& opened, StagePlan& out) {
  const OptimizerSpec& optimizer = opened.setup.settings.optimizer;
  out.trained = opened.trained_parameters();
  if (opened.setup.strategy->loss && tells_rates(optimizer))
    out.rates = count_rates(optimizer, opened.setup.parameters);
}

// Answers the model that the stage would leave; it lies on the device that only counts.
std::shared_ptr<Model> plan_stage(const Stage& given, size_t index, const Surroundings& around,
                                  const std::shared_ptr<Device>& real, Rates& rates, StagePlan& out) {
  const Quiet quiet;
  const int64_t sharing = around.sharing();
  Stage stage = with_rows_at_once(given, index, around);
  const auto& strategy = stage.strategy.component->table<rgm_strategy>();
  const bool is_shared = sharing > 1 && strategy.loss && !strategy.rollout;
  if (is_shared) stage.micro_batch = rows_at_once(stage, sharing);
  if (stage.micro_batch_auto) out.chosen_rows = stage.micro_batch;
  const auto dry = make_dry_device(*real);
  set_current_device(dry);
  reset_peak_memory();
  std::shared_ptr<Model> model;
  double step_seconds = 0;  // without evaluations, which no try has
  {
    OpenedStage opened = open_stage(stage, index, around);
    model = opened.model;
    out.parameters = opened.parameters();
    out.active = out.parameters - model->idle_parameters();
    out.trained = opened.trained_parameters();
    for (const auto& [name, source] : opened.setup.sources) out.data[name] = source->tokens();
    out.steps = steps_of(opened.setup);
    if (opened.setup.strategy->rollout) {
      if (tells_rates(stage.optimizer)) {
        prepare_only(opened.setup);
        count_trained(opened, out);
      }
      out.unknown = "depends on what the model answers";
      return model;
    }
    const Source& main = *opened.setup.sources.at(opened.setup.main_source);
    out.tokens = std::llround(static_cast<double>(main.tokens()) / static_cast<double>(main.units()) *
                              static_cast<double>(out.steps * stage.batch));
    out.memory_bytes = dry_device_bytes(opened, around.run / stage.name, *dry) + peak_memory();
    count_trained(opened, out);
    set_current_device(real);
    const double rate = rates.of(*model);
    const double tokens_a_step = static_cast<double>(out.tokens) / static_cast<double>(out.steps);
    const double steps = static_cast<double>(out.steps) + evaluations_in_steps(opened.setup, out.steps, tokens_a_step);
    step_seconds = work_of_step(opened.setup, tokens_a_step) / (rate * efficiency);
    out.seconds = steps * step_seconds;
  }
  set_current_device(real);
  if (is_small(*out.memory_bytes, step_seconds)) try_out(stage, index, around, out);
  // One process has stepped through all micro-batches. What adding up their gradients takes is not known here.
  if (is_shared && out.seconds) *out.seconds /= static_cast<double>(sharing);
  return model;
}

}  // namespace

double evaluations_in_steps(int64_t steps, int64_t every, double held_out_tokens, double tokens_a_step, double passes) {
  const int64_t times = 1 + (every > 0 ? (steps - 1) / every : 0);
  return tokens_a_step > 0 ? static_cast<double>(times) * held_out_tokens / tokens_a_step / 3 * passes : 0;
}

std::vector<StagePlan> plan(const Pipeline& pipeline, Registry& registry) {
  const TemporaryFolder folder("plan");
  const DeviceScope scope;
  const auto device = open_device(pipeline.backend, registry);
  std::map<std::string, std::shared_ptr<Model>> planned;
  const Surroundings around{pipeline, registry, folder.path, folder.path / "cache", &planned};
  Rates rates;
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
    planned[stage.name] = plan_stage(stage, i, around, device, rates, one);
    set_current_device(device);
  }
  return out;
}

}  // namespace rgm
