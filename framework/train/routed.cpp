// routed.cpp - the tokens of a mixture of experts: which share of a step a micro-batch has, and what its passes tell.
#include "train/routed.hpp"

#include <algorithm>

#include "tensor/ops.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {

double tokens_in(const Batch& batch) {
  double n = 0;
  for (const auto& [name, column] : batch.columns)
    n += static_cast<double>(std::ssize(column.segments) - std::ranges::count(column.segments, 0));
  return n;
}

}  // namespace

Routed::Routed(rgm_train& train, double share) : train_(train) {
  if (train.policy->config().experts == 0) return;
  routing_ = std::make_shared<Routing>(Routing{.share = share});
  train.policy->set_routing(routing_);
}
Routed::~Routed() {
  if (routing_) train_.policy->set_routing(nullptr);
}

void Routed::tell() const {
  if (!routing_ || routing_->layers == 0) return;
  const NoGradient still;
  add_metric(train_, "busiest_expert", ops::full({}, routing_->busiest), ops::full({}, routing_->layers));
}

double share_of_tokens(const rgm_train& train, const Batch& batch) {
  if (train.policy->config().experts == 0 || !train.each_batch) return 1;
  double all = 0;
  train.each_batch([&](const Batch& other) { all += tokens_in(other); });
  return all > 0 ? tokens_in(batch) / all : 1;
}

bool trains_experts_alone(std::span<Parameters* const> stores) {
  bool any = false;
  for (const Parameters* store : stores)
    for (const Parameter& p : store->all()) {
      if (p.trained && !p.buffer && !p.may_rest) return false;
      any = any || (p.trained && p.may_rest);
    }
  return any;
}

bool waits_in_passes(const TrainSetup& setup) {
  const rgm_train& train = *setup.train;
  const auto waits = [](const std::shared_ptr<Model>& model) { return model && model->waits_in_passes(); };
  return waits(train.policy) ||
         std::ranges::any_of(train.roles, [&](const auto& role) { return waits(role.second.model); }) ||
         std::ranges::any_of(train.rewards, [&](const Reward& reward) { return waits(reward.model); });
}

}  // namespace rgm
