// strategy_trial.hpp - a strategy in a pipeline of one stage, with a tiny model and made-up data.
#pragma once
#include <optional>

#include "inspect/opened.hpp"
#include "inspect/scratch.hpp"
#include "pipeline/open_stage.hpp"

namespace rgm::inspect {

// A pipeline of one stage of the strategy, opened.
class Trial {
 public:
  // `options` as in a pipeline; empty: those that must be given.
  Trial(Opened& opened, const std::string& id, const std::string& options = "");
  const Pipeline& pipeline() const { return pipeline_; }
  fs::path run_folder() const { return folder_.path() / "run"; }
  OpenedStage open() const { return open_stage(pipeline_.stages.front(), 0, *around_); }

 private:
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

}  // namespace rgm::inspect
