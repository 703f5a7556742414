// trainer.cpp - a stage from its strategy's instance to its result: what is needed is there, prepared, and run.
#include "train/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "tensor/tape.hpp"
#include "train/loop.hpp"
#include "train/rows.hpp"

namespace rgm {

int64_t steps_of(const TrainSetup& setup) {
  const TrainSettings& s = setup.settings;
  if (s.steps > 0) return s.steps;
  const double units = double(setup.sources.at(setup.main_source)->units()) * (s.epochs > 0 ? s.epochs : 1);
  const int64_t batches = std::max<int64_t>(1, int64_t(std::ceil(units / double(s.batch))));
  return setup.strategy->rollout && setup.strategy->loss ? batches * s.rollout_steps : batches;
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
    if (name == "reference") session.makes_reference = true;
    // When annotate or prepare asks for it, if they do at all.
    if (name == "reference" && (flags & (RGM_ANNOTATES | RGM_OPTIONAL))) continue;
    require(role(session, name) != nullptr || (flags & RGM_OPTIONAL),
            "{}: the strategy {} needs a model `{}`; add `{}: {{from: …}}` to the stage", session.stage,
            setup.strategy_id, name, name);
  }
}

}  // namespace

TrainResult train(TrainSetup& setup) {
  rgm_train& session = *setup.train;
  session.sources = &setup.sources;
  session.main_source = setup.main_source;
  session.folder = setup.folder;
  const Instance strategy(setup);
  make_roles(setup);
  if (setup.strategy->prepare) {
    const NoGradient still;
    const RandomScope random({session.seed, 0, 0, 0});
    call_plugin(setup.strategy_name, "prepare", [&] { return setup.strategy->prepare(strategy.self, &session); });
  }
  session.close_scopes();
  if (!setup.strategy->loss) return write_rows(setup, strategy.self);
  return Loop(setup, strategy.self).run();
}

}  // namespace rgm
