// two_steps.cpp - two steps of a stage, as a plan and the check before a run take them.
#include "pipeline/two_steps.hpp"

#include <chrono>
#include <utility>

#include "pipeline/aside.hpp"
#include "tensor/dry_device.hpp"

namespace rgm {
namespace {

// One on the way; at the last step the result is written instead.
bool writes_checkpoints(const TrainSettings& s, int64_t steps) {
  return (s.checkpoint_every > 0 && s.checkpoint_every < steps) || s.checkpoint_minutes > 0;
}

}  // namespace

double two_steps(OpenedStage& opened, const fs::path& folder, bool writes) {
  const Quiet quiet(
      log::Level::nothing);  // what is told of two steps, or of zeros on a device that only counts, is no news
  TrainSetup& setup = opened.setup;
  const TrainSettings kept = setup.settings;
  const int64_t steps = steps_of(setup);
  setup.settings.steps = 2;
  setup.settings.sample_tokens = std::min<int64_t>(kept.sample_tokens, 2);  // what a sample needs, it needs at once
  setup.settings.checkpoint_every = writes && writes_checkpoints(kept, steps) ? 1 : 0;
  setup.settings.checkpoint_minutes = 0;
  setup.settings.keep = "last";
  setup.captures = false;  // of two steps the second would pay for it
  setup.is_trial = true;
  setup.folder = folder;
  std::vector<std::chrono::steady_clock::time_point> ends;
  setup.after_step = [&](int64_t, int64_t) {
    current_device().wait();
    ends.push_back(std::chrono::steady_clock::now());
    return true;
  };
  auto held_out = setup.sources.extract("validation");
  const std::vector<ChoiceQuestion> choices = std::exchange(setup.choices, {});
  fs::create_directories(folder / "model");
  train(setup);
  if (writes) opened.model->save(folder / "model");
  setup.choices = choices;
  if (held_out) setup.sources.insert(std::move(held_out));
  setup.settings = kept;
  setup.captures = true;
  setup.is_trial = false;
  setup.after_step = {};
  return ends.size() < 2 ? 0 : std::chrono::duration<double>(ends[1] - ends[0]).count();
}

uint64_t dry_device_bytes(OpenedStage& opened, const fs::path& folder, const Device& dry) {
  two_steps(opened, folder, /*writes=*/false);
  return dry_peak_bytes(dry);
}

}  // namespace rgm
