// sync_test.cpp - dpo, grpo and rloo with a reference that follows the policy: after every second step it moves
// halfway.
#include "methods/method.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

class ReferenceSync : public TensorTest {
 protected:
  static void let_follow(Method& method) {
    method.train.followers["reference"] = {{{&method.policy->parameters(), &method.reference->parameters()}},
                                           /*is_copy=*/false};
    method.train.after_step = 1;
  }
  static void after_step(Method& method, int64_t step) {
    check_status(method.table.after_step(method.self, &method.train, step));
  }
  static float first_weight(const Model& model) {
    return to_host(model.parameters().find("layers.0.mlp.up.weight")->value)[0];
  }
  static rgm_strategy_plan plan_of(const Method& method) {
    rgm_strategy_plan plan{};
    plan.struct_size = sizeof plan;
    check_status(method.table.plan(method.self, &plan));
    return plan;
  }
  static std::string refusal(const std::string& id, const std::string& options) {
    try {
      Method method(id, options);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
};

// The pair's loss with the reference's own log-probabilities, as they are at that step.
TEST_F(ReferenceSync, DpoComparesWithTheReferenceAsItIsNow) {
  Method dpo("dpo", "{beta: 0.3, sync_every: 2, sync_rate: 0.5}");
  let_follow(dpo);
  const Text chosen{"a ", "cat sat"}, rejected{"a ", "zz"};
  Batch batch;
  set_tokens(batch, "chosen", {chosen});
  set_tokens(batch, "rejected", {rejected});
  const auto apart = [&](const Text& text) {
    return sum_of(logprobs_of(*dpo.policy, text)) - sum_of(logprobs_of(*dpo.reference, text));
  };
  const auto by_hand = [&] { return -log_sigmoid(0.3 * (apart(chosen) - apart(rejected))); };
  const double before = by_hand();
  EXPECT_NEAR(dpo.loss(batch), before, 1e-5);

  const float of_policy = first_weight(*dpo.policy), of_reference = first_weight(*dpo.reference);
  after_step(dpo, 1);
  EXPECT_EQ(first_weight(*dpo.reference), of_reference);
  after_step(dpo, 2);
  EXPECT_NEAR(first_weight(*dpo.reference), (of_policy + of_reference) / 2, 1e-6);
  EXPECT_EQ(first_weight(*dpo.policy), of_policy);
  EXPECT_GT(std::abs(by_hand() - before), 1e-3);
  EXPECT_NEAR(dpo.loss(batch), by_hand(), 1e-5);
}

// A hard update: the reference is the policy, and no token is charged.
TEST_F(ReferenceSync, ARateOfOneMakesTheReferenceThePolicy) {
  Method grpo("grpo", "{answers: 2, max_tokens: 6, beta: 0.1, sync_every: 1, sync_rate: 1}");
  let_follow(grpo);
  after_step(grpo, 1);
  Batch& batch = grpo.rollout({"ab", "the"}, by_letters);
  const auto& drawn = batch.columns.at("completion.logprobs").reals;
  const auto& reference = batch.columns.at("completion.reference").reals;
  for (const auto& places : places_of(batch.columns.at("completion"), batch.examples))
    for (const size_t i : places) EXPECT_NEAR(reference[i], drawn[i], 1e-4);

  Method rloo("rloo", "{answers: 2, max_tokens: 6, sync_every: 1, sync_rate: 1}");
  let_follow(rloo);
  rloo.rollout({"ab", "the"}, by_letters);
  EXPECT_GT(std::abs(rloo.metric("kl")), 0.01);
  rloo.train.metrics.clear();
  after_step(rloo, 1);
  rloo.rollout({"ab", "the"}, by_letters);
  EXPECT_NEAR(rloo.metric("kl"), 0, 1e-3);
}

TEST_F(ReferenceSync, ItIsOffUnlessAskedFor) {
  for (const char* id : {"dpo", "grpo", "rloo"}) {
    Method method(id, "{beta: 0.1}");
    EXPECT_EQ(plan_of(method).needs & (RGM_FOLLOWS_POLICY | RGM_WITHOUT_ANNOTATIONS), 0U) << id;
    after_step(method, 512);  // of a reference that may not be moved
    Method synced(id, "{beta: 0.1, sync_every: 512}");
    EXPECT_TRUE(plan_of(synced).needs & RGM_FOLLOWS_POLICY) << id;
  }
  EXPECT_TRUE(plan_of(Method("dpo", "{sync_every: 1}")).needs & RGM_WITHOUT_ANNOTATIONS);
}

TEST_F(ReferenceSync, UnsetTheRateIsThatOfThePaper) {
  Method dpo("dpo", "{sync_every: 1}");
  let_follow(dpo);
  const float of_policy = first_weight(*dpo.policy), of_reference = first_weight(*dpo.reference);
  after_step(dpo, 1);
  EXPECT_NEAR(first_weight(*dpo.reference), 0.6F * of_policy + 0.4F * of_reference, 1e-6);
}

TEST_F(ReferenceSync, WhatWouldMoveNothingIsRejected) {
  EXPECT_THAT(refusal("dpo", "{sync_rate: 0.5}"), HasSubstr("dpo: sync_rate says how far the reference is moved, and "
                                                            "without sync_every it never is: add sync_every: 512"));
  EXPECT_THAT(refusal("grpo", "{sync_every: 64}"), HasSubstr("with beta: 0 nothing is compared with it"));
  EXPECT_THAT(refusal("rloo", "{beta: 0, sync_every: 64}"), HasSubstr("with beta: 0 the distance from it costs"));
}

}  // namespace
}  // namespace rgm::test
