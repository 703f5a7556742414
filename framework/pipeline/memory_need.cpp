// memory_need.cpp - two steps on a device that only counts, where a stage may be too large for the machine.
#include "pipeline/memory_need.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/memory.hpp"
#include "base/process_here.hpp"
#include "pipeline/aside.hpp"
#include "pipeline/two_steps.hpp"
#include "tensor/dry_device.hpp"
#include "tensor/quantized.hpp"
#include "train/muon.hpp"

namespace rgm {
namespace {

// A share of what is free: below it no stage is counted, as its sizes alone show that it fits.
constexpr double surely_fits = 0.25;

int64_t rows_at_once(const Stage& stage) { return stage.micro_batch > 0 ? stage.micro_batch : stage.batch; }

// From above: more than any of our models keeps of a token for its gradient.
double at_most(const OpenedStage& opened, int64_t rows) {
  const double a_parameter = opened.setup.settings.average > 0 ? 20 : 16;
  const ModelConfig& c = opened.model->config();
  const double a_layer = 24.0 * static_cast<double>(c.channels) + 8.0 * static_cast<double>(c.widest_mlp()) +
                         4.0 * static_cast<double>(c.experts_per_token * c.channels + c.experts);
  const double a_token = a_layer * static_cast<double>(c.layers) + 2.0 * static_cast<double>(c.vocabulary);
  const int64_t length = opened.train->length;
  const int64_t row = length > 0 ? std::min(c.context, length + opened.model->virtual_tokens()) : c.context;
  return a_parameter * static_cast<double>(opened.parameters()) +
         4.0 * a_token * static_cast<double>(rows) * static_cast<double>(row);
}

// With the device's own memory apart from the machine's, that is what is counted.
MemoryNeed need_of(const Stage& stage, size_t index, const Surroundings& around, const MemoryRoom& room) {
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): meanwhile another one is the current
  const std::shared_ptr<Device> real = share_current_device();
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
  MemoryNeed need{.rows = rows_at_once(stage)};
  // The data may be hours of reading, and nearly always the models' sizes are enough.
  const double bound = at_most(open_stage(stage, index, around, /*with_data=*/false), need.rows);
  need.bytes = static_cast<uint64_t>(bound);
  if (bound < surely_fits * static_cast<double>(room.bytes)) return need;
  OpenedStage opened = open_stage(stage, index, around);
  need.bytes = dry_device_bytes(opened, folder.path / stage.name, *dry);
  if (room.is_machines) need.bytes += peak_memory() - std::min(peak_memory(), before);
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

}  // namespace

MemoryRoom memory_room(const Device& device) {
  const uint64_t own = device.info().memory;
  if (own != 0 && own != machine_memory()) return {own, false};
  // What earlier stages had is the process's still, and serves again.
  const uint64_t free = free_memory();
  return {free ? free / process_here().count + memory_in_use() : 0, true};
}

std::optional<MemoryNeed> memory_need(const Stage& stage, size_t index, const Surroundings& around,
                                      const MemoryRoom& room) {
  try {
    return need_of(stage, index, around, room);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace rgm
