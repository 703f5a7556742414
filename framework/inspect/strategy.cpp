// strategy.cpp - a strategy on a tiny model and made-up data, through the same reading and opening as any pipeline.
#include "inspect/strategy_trial.hpp"
#include "pipeline/run.hpp"
#include "tensor/ops.hpp"
#include "train/feed.hpp"
#include "train/loop.hpp"

namespace rgm::inspect {
namespace {

void create_step(Opened& opened, const std::string& id) {
  const Component& component = opened.component(RGM_KIND_STRATEGY, id);
  const auto& table = component.table<rgm_strategy>();
  const auto config = config_of(*component.data, sample_options(*component.data));
  for (int i = 0; i < 2; ++i) {
    void* self = nullptr;
    opened.at("create");
    if (table.create(config.get(), &self) != RGM_OK) return opened.failed("create failed: {}", last_failure());
    opened.at("plan");
    rgm_strategy_plan plan{};
    plan.struct_size = sizeof plan;
    if (table.plan && table.plan(self, &plan) != RGM_OK) return opened.failed("plan failed: {}", last_failure());
    opened.at("destroy");
    table.destroy(self);
  }
  opened.ok("made and destroyed twice, with default options");
}

// Every column, in a shape that none has.
Batch misshapen(const rgm_strategy& table, const Shape& shape) {
  Batch batch;
  batch.examples = 2;
  for (const rgm_column* const* c = table.columns; *c; ++c) {
    const std::string name = (*c)->name;
    if ((*c)->kind == RGM_TEXT_COLUMN) continue;
    const rgm_dtype dtype = (*c)->kind == RGM_REAL_COLUMN ? RGM_F32 : RGM_I32;
    batch.uploaded.emplace(name, ops::full(shape, 1, dtype));
    if ((*c)->kind != RGM_TOKENS_COLUMN) continue;
    batch.uploaded.emplace(name + ".segments", ops::full(shape, 1, RGM_I32));
    batch.uploaded.emplace(name + ".weights", ops::full(shape, 1));
    batch.uploaded.emplace(name + ".ends", ops::full(shape, 0, RGM_I32));
  }
  return batch;
}

void nonsense_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Trial trial(opened, id);
  const Prepared prepared(opened, trial);
  const rgm_strategy& table = *prepared.stage.setup.strategy;
  rgm_train& train = *prepared.stage.train;
  Refusals seen;
  const auto each = [&](const std::string& what, Batch batch) {
    const auto fresh = [&] {
      train.begin_step({&batch});
      train.batches.clear();
    };
    const RandomScope random({1, 1, 0, 0});
    fresh();
    if (table.loss)
      try_nonsense(opened, seen, "loss of " + what,
                   [&](rgm_tensor** out) { return table.loss(prepared.self, &train, &batch, out); });
    const NoGradient still;
    fresh();
    if (table.evaluate)
      try_nonsense(opened, seen, "evaluate of " + what,
                   [&](rgm_tensor**) { return table.evaluate(prepared.self, &train, &batch); });
    fresh();
    if (table.conclude)
      try_nonsense(opened, seen, "conclude of " + what,
                   [&](rgm_tensor**) { return table.conclude(prepared.self, &train, &batch); });
    fresh();
    if (table.annotate)
      try_nonsense(opened, seen, "annotate of " + what,
                   [&](rgm_tensor**) { return table.annotate(prepared.self, &train, &batch); });
    fresh();
    if (table.rollout)
      try_nonsense(opened, seen, "rollout of " + what, [&](rgm_tensor**) {
        rgm_experience made{};
        made.struct_size = sizeof made;
        return table.rollout(prepared.self, &train, &batch, &made);
      });
  };
  each("a batch without columns", Batch{});
  for (const Shape& shape : {Shape(), Shape({3}), Shape({2, 0}), Shape({2, 3, 2})})
    each("a batch whose columns have the shape " + shape.text(), misshapen(table, shape));
  tell(opened, seen);
}

void gradient_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Trial trial(opened, id);
  Prepared prepared(opened, trial);
  const rgm_strategy& table = *prepared.stage.setup.strategy;
  if (!table.loss) return opened.skipped("it minimises nothing");
  rgm_train& train = *prepared.stage.train;
  opened.at("rollout and annotate");
  Feed feed(prepared.stage.setup, prepared.self);
  const std::vector<Batch*> batches = feed.next();
  train.begin_step(batches);
  const auto loss = [&] {
    const RandomScope random({1, 1, 0, 0});
    rgm_tensor* out = nullptr;
    opened.at("loss");
    check_status(table.loss(prepared.self, &train, batches.front(), &out));
    Tensor answer = Tensor::adopt(out);
    require_scalar(answer, "strategy \"" + id + "\"");
    train.metrics.clear();
    return answer;
  };
  check_gradients(opened, prepared.stage.setup.parameters, loss);
}

void batches_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  if (!opened.component(RGM_KIND_STRATEGY, id).table<rgm_strategy>().loss)
    return opened.skipped("it minimises nothing");
  const DeviceScope scope;
  compare_batches(opened, Trial(opened, id));
}

void run_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  const Trial trial(opened, id);
  opened.at("a run of two steps");
  RunOptions options;
  options.out = trial.run_folder();
  run(trial.pipeline(), options, opened.registry);
  opened.ok("a pipeline with it ran");
}

void options_step(Opened& opened, const std::string& id) {
  if (!opened.open_reference()) return;
  try_options(opened, *opened.component(RGM_KIND_STRATEGY, id).data, [&](const std::string& given) {
    opened.open_reference();  // a run closes what it ran on
    const Trial trial(opened, id, given);
    RunOptions options;
    options.out = trial.run_folder();
    run(trial.pipeline(), options, opened.registry);
  });
}

}  // namespace

std::vector<Step> strategy_steps() {
  return {{"create", create_step},   {"nonsense", nonsense_step}, {"gradients", gradient_step},
          {"batches", batches_step}, {"capture", capture_step},   {"after_step", after_step_step},
          {"run", run_step},         {"options", options_step}};
}

}  // namespace rgm::inspect
