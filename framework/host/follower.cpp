// follower.cpp - weights of its own for what follows the policy, and no more than move: a base that nobody trains is
// shared.
#include "host/follower.hpp"

#include <optional>

#include "tensor/tape.hpp"

namespace rgm {
namespace {

std::shared_ptr<Filed> copy_of_filed(Model& model) {
  auto out = std::make_shared<Filed>();
  for (const Parameter& p : model.extra().all()) {
    const Tensor value = empty_like(p.value.view(), p.value.dtype());
    assign(value, p.value);
    out->parameters.add(p.name, value, false, p.buffer);
  }
  out->saved = model.saved_extra();
  return out;
}

}  // namespace

rgm_model copy_of_policy(const std::shared_ptr<Model>& policy, Adapters* adapters,
                         const std::function<std::unique_ptr<Adapters>(const std::shared_ptr<Model>&)>& attach,
                         Follower& out) {
  const NoGradient still;
  const bool shares = adapters && policy->parameters().trained_count() == 0;
  const std::shared_ptr<Model> model = shares ? policy : policy->frozen_copy(/*exact=*/true);
  if (!shares) out.stores = {{&policy->parameters(), &model->parameters()}, {&policy->extra(), &model->extra()}};
  rgm_model made{model, false, true};
  if (!adapters) return made;
  std::optional<WithHooks> policy_acts;  // attaching sets other ones
  if (shares) policy_acts.emplace(*model, model->hooks());
  const std::shared_ptr<Adapters> own = attach(model);
  for (Parameter& p : own->parameters().all()) {
    own->parameters().set_trained(p, false);
    if (const Parameter* const original = adapters->parameters().find(p.name)) assign(p.value, original->value);
  }
  out.stores.push_back({&adapters->parameters(), &own->parameters()});
  made.own_adapters = own;
  made.own_hooks = own.get();
  if (shares) {
    made.own_filed = copy_of_filed(*policy);
    out.stores.push_back({&policy->extra(), &made.own_filed->parameters});
  }
  return made;
}

Follower named_follower(const std::string& what, Model& its, bool its_adapters, Model& policy, bool policy_adapters) {
  require(!policy_adapters, "{}: {}", what, follows_an_adapter);
  require(!its_adapters, "{}: {}", what, follows_with_an_adapter);
  require_same_parameters(what, its, policy);
  return {{{&policy.parameters(), &its.parameters()}, {&policy.extra(), &its.extra()}}, /*is_copy=*/false};
}

}  // namespace rgm
