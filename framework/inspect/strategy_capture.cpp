// strategy_capture.cpp - does a strategy ask for the same kernels, with the same numbers, whatever its values are?
#include "inspect/kernel_trace.hpp"
#include "inspect/strategy_trial.hpp"
#include "tensor/ops.hpp"
#include "train/feed.hpp"

namespace rgm::inspect {
namespace {

// The same shapes and segments. What groups examples stays, and so do the weights of tokens.
Batch with_other_values(const Batch& batch, const rgm_train& train) {
  Batch out;
  out.examples = batch.examples;
  out.columns = batch.columns;
  for (auto& [name, column] : out.columns) {
    if (!train.together(name)) std::ranges::reverse(column.integers);
    if (column.kind != ColumnKind::tokens)
      for (float& x : column.reals) x = 0.1F - 0.5F * x;
    for (std::string& text : column.texts) text += " and more";
  }
  return out;
}

}  // namespace

void capture_step(Opened& opened, const std::string& id) {
  const auto& table = opened.component(RGM_KIND_STRATEGY, id).table<rgm_strategy>();
  if (!(table.flags & RGM_CAPTURABLE)) return opened.skipped("it does not promise that its steps may be captured");
  if (table.rollout) return opened.skipped("its steps are not captured, as it makes their data itself");
  if (!opened.open_reference()) return;
  const DeviceScope scope;
  const Trial trial(opened, id);
  Prepared prepared(opened, trial);
  rgm_train& train = *prepared.stage.train;
  Feed feed(prepared.stage.setup, prepared.self);
  Batch batch = *feed.next().front(), other = with_other_values(batch, train);
  KernelTrace trace(current_device());
  std::vector<std::string> totals;  // that it asks for, which a step that is run again is told anew
  const auto asked = [&](Batch& of, uint64_t step) {
    const RandomScope random({1, step, 0, 0});
    train.begin_step({&of});
    train.progress = 0.25 * double(step);
    std::map<std::string, Tensor> places;
    for (const std::string& name : totals) places.emplace(name, ops::full({}, total(train, name)));
    if (!totals.empty()) train.total_places = std::move(places);
    trace.take();
    rgm_tensor* out = nullptr;
    opened.at("loss");
    check_status(table.loss(prepared.self, &train, &of, &out));
    const Tensor loss = Tensor::adopt(out);
    if (loss.needs_gradient()) backward(loss);
    for (const Parameters* store : prepared.stage.setup.parameters)
      for (const Parameter& p : store->all()) p.value.take_gradient();
    train.metrics.clear();
    of.uploaded.clear();
    return trace.take();
  };
  asked(batch, 1);  // what is made at the first call
  for (const auto& [name, value] : train.totals) totals.push_back(name);
  const int reads = Opened::read();
  const std::vector<std::string> first = asked(batch, 2), second = asked(other, 3);
  if (Opened::read() != reads)
    return opened.failed(
        "it promises that its steps may be captured, but its loss reads values: a step that is run again goes by those "
        "of the step that was captured; compute with tensors alone, or leave out `capturable`");
  if (const auto change = first_change(first, second))
    return opened.failed(
        "it promises that its steps may be captured, but with other values of the same shapes kernel {} is \"{}\" "
        "where it was \"{}\": leave out `capturable`",
        change->place, change->is, change->was);
  opened.ok("steps may be captured: {} kernels, the same with other values", first.size());
}

}  // namespace rgm::inspect
