// open_roles.cpp - the models beside a stage's policy: those that the pipeline names, and what stands for one that it
// leaves out.
#include <algorithm>

#include "base/log.hpp"
#include "host/follower.hpp"
#include "pipeline/open_stage.hpp"
#include "pipeline/taken_model.hpp"

namespace rgm {
namespace {

// The reference makes itself.
void open_left_out_role(const Stage& stage, const Surroundings& around, const rgm_role& role, rgm_train& train) {
  const std::string name = role.name;
  const bool is_reference = name == "reference", is_optional = role.flags & RGM_OPTIONAL;
  if (is_reference && !adapters_of(stage.model, around).empty()) {
    // The policy as it is now has the earlier adapters: taking all of them off would be the base before them.
    train.open_reference = [&stage, around] {
      const TakenModel taken = take_frozen(stage.model, around, narrow_weights(stage));
      if (stage.precision == "bfloat16" && taken.model->dtype() != RGM_BF16) taken.model->use_bfloat16();
      return rgm_model{taken.model, false, true, taken.adapters};
    };
    return;
  }
  if (is_reference && !is_optional && std::ranges::any_of(stage.adapters, starts_as_another))
    log::warning(
        "stage \"{}\": the adapter continues an earlier one, and the reference is the model without it; write "
        "reference: {{from: ...}} to compare with another",
        stage.name);
  require(is_reference || name == "policy" || is_optional,
          "stage \"{}\": strategy \"{}\" needs a \"{}\": add {}: {{from: STAGE or DIR}}", stage.name, stage.strategy.id,
          name, name);
}

void open_given_role(const Stage& stage, const Surroundings& around, const rgm_role& role, const ModelSpec& given,
                     bool follows, OpenedStage& out) {
  const std::string name = role.name;
  const bool is_trained = role.flags & RGM_TRAINED;
  const std::string what = fmt::format("stage \"{}\": {}", stage.name, name);
  const TakenModel taken = is_trained ? TakenModel{take_to_train(what, given, around), nullptr}
                                      : take_frozen(given, around, follows ? NarrowWeights() : narrow_weights(stage));
  require_same_tokens(what, *taken.model, *out.model);
  if (follows)
    out.train->followers[name] =
        named_follower(what, *taken.model, taken.adapters != nullptr, *out.model, !out.adapter_sets().empty());
  if (is_trained) out.trained[name] = taken.model;
  out.train->roles[name] = {taken.model, false, !is_trained, taken.adapters};
}

}  // namespace

void open_roles(const Stage& stage, const Surroundings& around, OpenedStage& out) {
  out.train->roles["policy"] = {out.model, false, false};
  if (stage.follows_policy)
    out.train->copy_policy = [&stage, around, seed = out.train->seed, policy = out.model,
                              adapters = out.adapters.get()](Follower& copy) {
      const auto attach = [&](const std::shared_ptr<Model>& to) { return attached(stage, seed, around, to); };
      return copy_of_policy(policy, adapters, attach, copy);
    };
  for (const rgm_role* const* r = stage.strategy.component->table<rgm_strategy>().roles; *r; ++r) {
    const rgm_role& role = **r;
    const auto given = stage.roles.find(role.name);
    const bool follows = stage.follows_policy && (role.flags & RGM_FOLLOWS) != 0;
    if (follows) out.train->followers[role.name] = {};
    if (given != stage.roles.end())
      open_given_role(stage, around, role, given->second, follows, out);
    else if (!follows)  // else it is a copy of the policy
      open_left_out_role(stage, around, role, *out.train);
  }
}

}  // namespace rgm
