// learned.hpp - a learned reward for a method of the tests: that of a plug-in, or scores of the test's choice.
#pragma once
#include "methods/method.hpp"

namespace rgm::test {

// A reward's plug-in, its head filed in the policy, as a stage that trains it has it.
inline void learn_reward(Method& method, const std::string& id, const std::string& yaml = "{}") {
  const Component& c = component(RGM_KIND_REWARD, id);
  Reward reward;
  reward.id = reward.name = reward.label = id;
  reward.table = &c.table<rgm_reward>();
  reward.config = options_of(c, yaml);
  reward.model = method.policy;
  check_status(reward.table->create(reward.config.get(), &reward.self));
  for (const rgm_column* const* w = reward.table->columns; *w; ++w)
    method.train.wishes.push_back({(*w)->name, (*w)->kind, (*w)->flags});
  rgm_model_info info{};
  info.struct_size = sizeof info;
  fill_info(*method.policy, &method.train.tokenizer, info);
  reward.scope = std::make_unique<rgm_scope>();
  reward.scope->parameters = &method.policy->extra();
  reward.scope->prefix = id + ".";
  check_status(reward.table->attach(reward.self, &info, reward.scope.get()));
  method.train.rewards.push_back(std::move(reward));
}

// One whose scores are these numbers, as many as there are examples in what is asked about, from the first on again
// where they end; its loss is 0.
inline void answer_scores(Method& method, std::vector<float> scores) {
  struct Told {
    std::vector<float> scores;
    size_t next = 0;
  };
  static const rgm_reward table = [] {
    rgm_reward r{};
    r.struct_size = sizeof r;
    r.destroy = [](void* self) { delete static_cast<Told*>(self); };
    r.scores = [](void* self, rgm_tensor*, rgm_tensor* ends, rgm_tensor** out) -> rgm_status {
      auto& told = *static_cast<Told*>(self);
      std::vector<float> some;
      for (int64_t n = Tensor::share(ends).shape()[0]; n > 0; --n)
        some.push_back(told.scores[told.next++ % told.scores.size()]);
      *out = from_host(std::span<const float>(some), {int64_t(some.size())}).release();
      return RGM_OK;
    };
    r.loss = [](void*, rgm_train*, rgm_batch*, rgm_tensor*, rgm_tensor** out) -> rgm_status {
      *out = ops::full({}, 0).release();
      return RGM_OK;
    };
    return r;
  }();
  Reward reward;
  reward.id = reward.name = reward.label = "told";
  reward.table = &table;
  reward.self = new Told{std::move(scores)};
  reward.model = method.policy;
  method.train.rewards.push_back(std::move(reward));
}

// Once over held-out data that is one batch.
inline void evaluate(Method& method, Batch& batch) {
  const NoGradient still;
  method.train.begin_step({&batch});
  check_status(method.table.evaluate(method.self, &method.train, &batch));
}

}  // namespace rgm::test
