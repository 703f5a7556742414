// trainer.cpp - a stage from its strategy's instance to its result: what is needed is there, prepared, and run.
#include "train/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "base/whole.hpp"
#include "tensor/tape.hpp"
#include "train/loop.hpp"
#include "train/rates.hpp"
#include "train/rows.hpp"

namespace rgm {

namespace {

double batches_of(const TrainSetup& setup, double epochs) {
  return double(setup.sources.at(setup.main_source)->units()) * epochs / double(setup.settings.batch);
}
int64_t steps_of_a_batch(const TrainSetup& setup) {
  return setup.strategy->rollout && setup.strategy->loss ? setup.settings.rollout_steps : 1;
}

}  // namespace

int64_t rows_at_once(int64_t all, int64_t given, int64_t processes) {
  const int64_t shared = (all + processes - 1) / processes;
  return std::max<int64_t>(1, given > 0 ? std::min(given, shared) : shared);
}

int64_t steps_of(const TrainSetup& setup) {
  const TrainSettings& s = setup.settings;
  if (s.steps > 0) return s.steps;
  const double batches = batches_of(setup, s.epochs > 0 ? s.epochs : 1);
  return std::max<int64_t>(1, rounded_up(batches)) * steps_of_a_batch(setup);
}

int64_t steps_between_evaluations(const TrainSetup& setup) {
  const TrainSettings& s = setup.settings;
  if (s.evaluate_every > 0 || s.evaluate_epochs <= 0) return s.evaluate_every;
  const double steps = batches_of(setup, s.evaluate_epochs) * double(steps_of_a_batch(setup));
  return std::max<int64_t>(1, std::llround(steps));
}

namespace {

// The strategy's instance; destroyed with its scope.
struct Instance {
  const rgm_strategy& table;
  void* self = nullptr;
  explicit Instance(const TrainSetup& setup) : table(*setup.strategy) {
    call_plugin(setup.strategy_name, "create", [&] { return table.create(setup.config, &self); });
  }
  ~Instance() { table.destroy(self); }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
};

// The reference is the policy as it is now, before a checkpoint moves it on.
void make_roles(TrainSetup& setup) {
  rgm_train& session = *setup.train;
  for (const rgm_role* const* wanted = setup.strategy->roles; *wanted; ++wanted) {
    const std::string name = (*wanted)->name;
    const uint32_t flags = (*wanted)->flags;
    const bool follows = session.followers.contains(name);
    if (name == "reference" || follows) session.makes_reference = true;
    // When annotate or prepare asks for it, if they do at all.
    if (name == "reference" && !follows && (flags & (RGM_ANNOTATES | RGM_OPTIONAL))) continue;
    require(role(session, name) != nullptr || (flags & RGM_OPTIONAL),
            "{}: the strategy {} needs a model `{}`; add `{}: {{from: …}}` to the stage", session.stage,
            setup.strategy_id, name, name);
  }
}

void prepare(TrainSetup& setup, void* self) {
  rgm_train& session = *setup.train;
  session.sources = &setup.sources;
  session.main_source = setup.main_source;
  session.folder = setup.folder;
  make_roles(setup);
  if (setup.strategy->prepare) {
    const NoGradient still;
    const RandomScope random({session.seed, 0, 0, 0});
    call_plugin(setup.strategy_name, "prepare", [&] { return setup.strategy->prepare(self, &session); });
  }
  session.close_scopes();
  if (!setup.strategy->loss) return;
  check_rates(setup.settings.optimizer, setup.parameters, session.stage);
  warn_of_patterns(setup.settings.optimizer, setup.parameters, session.stage);
}

}  // namespace

void prepare_only(TrainSetup& setup) { prepare(setup, Instance(setup).self); }

void require_enough_rows(const std::string& stage, int64_t batch, int64_t processes) {
  require(batch >= processes,
          "{0}: {1} processes cannot share out a batch of {2}: run it with at most {2}, or write a larger batch", stage,
          processes, batch);
}

TrainResult train(TrainSetup& setup) {
  if (setup.strategy->loss)
    require_enough_rows(setup.train->stage, setup.settings.batch, setup.train->processes->size());
  const Instance strategy(setup);
  prepare(setup, strategy.self);
  if (!setup.strategy->loss) return write_rows(setup, strategy.self);
  return Loop(setup, strategy.self).run();
}

}  // namespace rgm
