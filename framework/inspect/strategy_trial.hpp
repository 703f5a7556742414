// strategy_trial.hpp - a strategy, or a learned reward, in a pipeline of one stage with a tiny model and made-up data.
#pragma once
#include <optional>

#include "inspect/opened.hpp"
#include "inspect/scratch.hpp"
#include "pipeline/open_stage.hpp"

namespace rgm::inspect {

constexpr int64_t trial_batch = 4;

// A pipeline of one stage, opened. `options` as in a pipeline; empty: those that must be given.
class Trial {
 public:
  // Of the strategy, which is told of a reward where it may ask for one, and of held-out data where it evaluates.
  Trial(Opened& opened, const std::string& id, const std::string& options = "");
  // Of the learned reward, and a strategy that minimises its loss and nothing else.
  static Trial of_reward(Opened& opened, const std::string& id, const std::string& options = "");
  const Pipeline& pipeline() const { return pipeline_; }
  fs::path run_folder() const { return folder_.path() / "run"; }
  OpenedStage open() const { return open_stage(pipeline_.stages.front(), 0, *around_); }

 private:
  Trial(Opened& opened, const Component& strategy, const std::string& options, const Component* reward,
        const std::string& reward_options);
  const ScratchFolder folder_;
  Pipeline pipeline_;
  std::optional<Surroundings> around_;
};

// A strategy's instance, prepared.
struct Prepared {
  OpenedStage stage;
  void* self = nullptr;

  Prepared(const Opened& opened, const Trial& trial);
  ~Prepared();
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
};

// What the strategy's promise to be capturable is held against.
void capture_step(Opened& opened, const std::string& id);
// What happens between two steps; silent where a strategy does nothing there.
void after_step_step(Opened& opened, const std::string& id);

// -- strategy_batches.cpp
// The loss and the gradient of the trial's first step, in one micro-batch beside several; tells the result.
void compare_batches(const Opened& opened, const Trial& trial);

}  // namespace rgm::inspect
