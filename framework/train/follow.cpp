// follow.cpp - the policy's weights on their way into a model that follows it.
#include "train/follow.hpp"

#include "tensor/quantized.hpp"
#include "tensor/tape.hpp"
#include "train/in_place.hpp"
#include "train/session.hpp"

namespace rgm {
namespace {

std::string heads_of(const ModelConfig& c) {
  return fmt::format("{} heads of {} channels, {} of them for keys", c.heads, c.head_dim, c.kv_heads);
}

}  // namespace

void Follower::visit(const See& see) const {
  for (size_t i = 0; i < stores.size(); ++i)
    for (const Parameter& own : stores[i].own->all()) {
      if (own.buffer) continue;
      const Parameter* const policy = stores[i].policy->find(own.name);
      if (policy && policy->value.shape() == own.value.shape() && (policy->trained || !is_copy)) see(i, *policy, own);
    }
}

void follow(rgm_train& train, const std::string& name, double rate) {
  require(rate >= 0 && rate <= 1, "follow: the rate is {}, expected 0 to 1, where 1 makes \"{}\" the policy", rate,
          name);
  require(train.after_step > 0, "follow: \"{}\" moves between two steps; after_step is the place for it", name);
  if (!train.roles.contains(name)) invalid("follow: the stage has no model \"{}\"{}", name, other_roles(train, name));
  const auto found = train.followers.find(name);
  require(found != train.followers.end(),
          "follow: \"{}\" does not follow the policy: its role needs RGM_FOLLOWS, and the strategy's plan has to say "
          "follows_policy",
          name);
  if (rate == 0) return;
  const NoGradient still;
  found->second.visit([&](size_t, const Parameter& policy, const Parameter& own) {
    move_towards(own.value, readable(policy.value), rate);
    own.refresh_half();
  });
}

void require_same_parameters(const std::string& what, const Model& its, const Model& policy) {
  const ModelConfig &one = its.config(), &other = policy.config();
  const std::string next = "use a model of the same base, or leave it out, and it starts as the policy";
  require(one.family == other.family, "{}: follows the policy, but is of the family {} and the policy of {}; {}", what,
          one.family->id, other.family->id, next);
  require(heads_of(one) == heads_of(other), "{}: follows the policy, but has {}, and the policy {}; {}", what,
          heads_of(one), heads_of(other), next);
  const auto expect_all = [&](const Model& in, const char* of, const Model& from, const char* other_of) {
    for (const Parameter& p : from.parameters().all()) {
      const Parameter* const same = in.parameters().find(p.name);
      require(same != nullptr, "{}: follows the policy, but {} has no \"{}\", which {} has; {}", what, of, p.name,
              other_of, next);
      require(same->value.shape() == p.value.shape(),
              "{}: follows the policy, but its \"{}\" has the shape {}, and the policy's {}; {}", what, p.name,
              its.parameters().find(p.name)->value.shape().text(),
              policy.parameters().find(p.name)->value.shape().text(), next);
    }
  };
  expect_all(its, "its model", policy, "the policy");
  expect_all(policy, "the policy", its, "its model");
}

}  // namespace rgm
