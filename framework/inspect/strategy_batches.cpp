// strategy_batches.cpp - does a step minimise the same, however its data is split into micro-batches?
#include <cmath>

#include "inspect/strategy_trial.hpp"
#include "tensor/ops.hpp"
#include "train/feed.hpp"
#include "train/loop.hpp"

namespace rgm::inspect {
namespace {

// The same examples are packed otherwise, which changes the order of sums in float32: some 1e-6 of the whole.
constexpr double of_parts = 1e-3, unseen = 1e-5;

// What the host adds up over the micro-batches of the first step.
struct Sum {
  double loss = 0;
  std::vector<std::vector<float>> gradients;  // of each parameter; empty: none
  size_t micro_batches = 0;
  bool is_drawn = false;  // loss asked for random numbers
};

Sum sum_of(const Opened& opened, const Trial& trial, int64_t micro_batch) {
  Prepared prepared(opened, trial);
  TrainSetup& setup = prepared.stage.setup;
  setup.settings.micro_batch = micro_batch;
  rgm_train& train = *setup.train;
  opened.at("rollout and annotate");
  Feed feed(setup, prepared.self);
  const std::vector<Batch*> batches = feed.next();
  train.begin_step(batches);
  Sum out;
  out.micro_batches = batches.size();
  const int drawn = Opened::drawn();
  for (size_t i = 0; i < batches.size(); ++i) {
    const RandomScope random({1, 1, static_cast<uint32_t>(i), 0});
    rgm_tensor* answer = nullptr;
    opened.at("loss");
    check_status(setup.strategy->loss(prepared.self, &train, batches[i], &answer));
    const Tensor loss = Tensor::adopt(answer);
    require_scalar(loss, setup.strategy_name);
    out.loss += double(item(loss));
    opened.at("backward");
    if (loss.needs_gradient()) backward(loss);
    batches[i]->uploaded.clear();
    train.batches.clear();
  }
  out.is_drawn = Opened::drawn() != drawn;
  for (const Parameters* store : setup.parameters)
    for (const Parameter& p : store->all()) {
      const Tensor gradient = p.value.take_gradient();
      out.gradients.push_back(gradient ? to_host(gradient) : std::vector<float>());
    }
  return out;
}

// The length of a - b, where what is empty is 0 everywhere.
double distance(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  double sum = 0;
  for (size_t p = 0; p < a.size(); ++p)
    for (size_t i = 0; i < std::max(a[p].size(), b[p].size()); ++i) {
      const double x = a[p].empty() ? 0 : double(a[p][i]), y = b[p].empty() ? 0 : double(b[p][i]);
      sum += (x - y) * (x - y);
    }
  return std::sqrt(sum);
}

}  // namespace

void compare_batches(const Opened& opened, const Trial& trial) {
  const Sum whole = sum_of(opened, trial, 0), parts = sum_of(opened, trial, trial_batch / 2);
  if (parts.micro_batches < 2) return opened.skipped("a step of it has too little data to be split");
  if (whole.is_drawn || parts.is_drawn)
    return opened.skipped("its loss draws random numbers, which differ from micro-batch to micro-batch");
  const std::vector<std::vector<float>> zero(whole.gradients.size());
  const double length = std::max(distance(whole.gradients, zero), distance(parts.gradients, zero)),
               apart = distance(whole.gradients, parts.gradients);
  if (!std::isfinite(whole.loss) || !std::isfinite(length))
    return opened.skipped("the loss of random data, or its gradient, is not finite");
  const double largest = std::max(std::abs(whole.loss), std::abs(parts.loss));
  const bool same_loss = std::abs(whole.loss - parts.loss) <= of_parts * largest + unseen;
  if (same_loss && apart <= of_parts * length + unseen)
    return opened.ok("in {} micro-batches a step has the same loss, and a gradient that is {:.1g} off",
                     parts.micro_batches, length > 0 ? apart / length : 0);
  opened.failed(
      "the loss of a step is {:.6g} in one micro-batch and {:.6g} in {}{}: the host adds up what loss returns for "
      "each, so divide by train.total(COLUMN), never by the size of the batch at hand; examples that are compared with "
      "each other stay in one micro-batch if a column has RGM_TOGETHER",
      whole.loss, parts.loss, parts.micro_batches,
      same_loss ? fmt::format(", but its gradients are {:.2g} of their length apart", apart / length) : "");
}

}  // namespace rgm::inspect
