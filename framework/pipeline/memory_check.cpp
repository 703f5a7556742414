// memory_check.cpp - two steps on a device that only counts, where a stage may be too large for the machine.
#include "pipeline/memory_check.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/memory.hpp"
#include "base/text.hpp"
#include "pipeline/aside.hpp"
#include "pipeline/two_steps.hpp"
#include "tensor/dry_device.hpp"
#include "tensor/quantized.hpp"
#include "train/muon.hpp"

namespace rgm {
namespace {

// A share of what is free: below it no stage is counted, as its sizes alone show that it fits.
constexpr double surely_fits = 0.25;
constexpr double wanted_share = 0.9;  // of what is free, for what is advised: the prediction is within a tenth

struct Need {
  uint64_t bytes = 0, weights = 0, training = 0;  // the last: gradients, moments and average
  int64_t rows = 0;                               // at once
};

int64_t rows_at_once(const Stage& stage) { return stage.micro_batch > 0 ? stage.micro_batch : stage.batch; }

// From above: more than any of our models keeps of a token for its gradient.
double at_most(const OpenedStage& opened, int64_t rows) {
  const ModelConfig& c = opened.model->config();
  const double a_layer = 24.0 * static_cast<double>(c.channels) + 8.0 * static_cast<double>(c.hidden);
  const double a_token = a_layer * static_cast<double>(c.layers) + 2.0 * static_cast<double>(c.vocabulary);
  const int64_t length = opened.train->length;
  const int64_t row = length > 0 ? std::min(c.context, length + opened.model->virtual_tokens()) : c.context;
  return 16.0 * static_cast<double>(opened.parameters()) +
         4.0 * a_token * static_cast<double>(rows) * static_cast<double>(row);
}

// Nothing where it surely fits, or where nothing is known. With the device's own memory apart from the machine's, that
// is what is counted.
std::optional<Need> need_of(const Stage& stage, size_t index, const Surroundings& around,
                            const std::shared_ptr<Device>& real, bool is_machines, uint64_t free) {
  const Quiet quiet({log::Level::nothing, log::levels().work});
  const TemporaryFolder folder("memory");
  const auto dry = make_dry_device(*real);
  struct Back {  // whatever happens, the run goes on with the real one
    std::shared_ptr<Device> real;
    ~Back() { set_current_device(real); }
  } const back{real};
  const uint64_t before = memory_in_use();
  reset_peak_memory();
  set_current_device(dry);
  Need need{.rows = rows_at_once(stage)};
  // The data may be hours of reading, and nearly always the models' sizes are enough.
  if (at_most(open_stage(stage, index, around, /*with_data=*/false), need.rows) <
      surely_fits * static_cast<double>(free))
    return std::nullopt;
  OpenedStage opened = open_stage(stage, index, around);
  need.bytes = dry_device_bytes(opened, folder.path / stage.name, *dry);
  if (is_machines) need.bytes += peak_memory() - std::min(peak_memory(), before);
  const auto trained = static_cast<uint64_t>(opened.trained_parameters());
  need.weights = opened.parameter_bytes();
  for (const auto& [role, follower] : opened.train->followers)
    follower.visit([&](size_t, const Parameter&, const Parameter& own) { need.weights += held_bytes(own.value); });
  const OptimizerSpec& optimizer = stage.optimizer;
  const auto by_muon = static_cast<uint64_t>(muon_parameters(optimizer, opened.setup.parameters));
  const bool is_small = optimizer.kind == "sgd" || optimizer.moments == "bfloat16";
  need.training = 8 * by_muon + (trained - std::min(by_muon, trained)) * (is_small ? 8 : 12) +
                  (stage.average > 0 ? 4 * trained : 0);
  return need;
}

// What is wrong with the stage, the run itself says best.
std::optional<Need> try_need_of(const Stage& stage, size_t index, const Surroundings& around,
                                const std::shared_ptr<Device>& real, bool is_machines, uint64_t free) {
  try {
    return need_of(stage, index, around, real, is_machines, free);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// The most rows at once that fit, by a straight line through two counts; 0 where one row does not.
int64_t rows_that_fit(const Need& all, const Need& half, uint64_t free) {
  if (half.rows >= all.rows || half.bytes >= all.bytes) return 0;
  const double a_row = static_cast<double>(all.bytes - half.bytes) / static_cast<double>(all.rows - half.rows);
  const double rest = static_cast<double>(half.bytes) - a_row * static_cast<double>(half.rows);
  const double rows = (wanted_share * static_cast<double>(free) - rest) / a_row;
  return rows < 1 ? 0 : std::min(all.rows - 1, static_cast<int64_t>(rows));
}

// As many as divide the batch, so that all micro-batches are of one size; any where that costs more than half.
int64_t even(int64_t fitting, int64_t batch) {
  for (int64_t n = fitting; 2 * n > fitting; --n)
    if (batch % n == 0) return n;
  return fitting;
}

}  // namespace

void check_memory(const Stage& stage, size_t index, const Surroundings& around) {
  const auto& strategy = stage.strategy.component->table<rgm_strategy>();
  if (strategy.rollout || !strategy.loss) return;
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): meanwhile another one is the current
  const std::shared_ptr<Device> real = share_current_device();
  const uint64_t own = real->info().memory;
  const bool is_machines = own == 0 || own == machine_memory();
  // What earlier stages had is the process's still, and serves again.
  const uint64_t free = is_machines ? free_memory() + memory_in_use() : own;
  const auto need = free ? try_need_of(stage, index, around, real, is_machines, free) : std::nullopt;
  if (!need || need->bytes <= free) return;

  const uint64_t held = need->weights + need->training;
  const std::string text = fmt::format(
      "stage {} needs about {} of memory, and {} is free{}: weights {}, {} {}, {} for what is kept "
      "of {} rows at once",
      stage.name, bytes_for_people(need->bytes), bytes_for_people(free), is_machines ? "" : " on the device",
      bytes_for_people(need->weights), stage.average > 0 ? "gradients, moments and average" : "gradients and moments",
      bytes_for_people(need->training), bytes_for_people(need->bytes - std::min(need->bytes, held)),
      count_for_people(static_cast<uint64_t>(need->rows)));
  Stage smaller = stage;
  smaller.batch = smaller.micro_batch = need->rows / 2;
  const auto half = smaller.batch ? try_need_of(smaller, index, around, real, is_machines, free) : std::nullopt;
  if (const int64_t fitting = half ? rows_that_fit(*need, *half, free) : 0; fitting > 0)
    invalid("{}. With fewer rows at once the steps stay the same: --set stages.{}.micro_batch={}", text, stage.name,
            even(fitting, stage.batch));
  invalid(
      "{}. Even one row at a time is too much: use a smaller model, set a smaller length, or train less of the model, "
      "as with `trainable: {{last: 2}}` or an adapter",
      text);
}

}  // namespace rgm
