// follower_test.cpp - a copy of the policy that follows it: in the policy's own base, with adapters of its own, or in a
// base that is copied, too.
#include "host/follower.hpp"
#include "host/plugged.hpp"
#include "host/tables.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

class FollowerTest : public TensorTest {
 protected:
  static std::unique_ptr<Adapters> attach(const Adapted& to, const std::shared_ptr<Model>& model) {
    auto out = std::make_unique<Adapters>(model, 3);
    out->add("lora", fixture("lora").table<rgm_adapter>(), *to.config);
    return out;
  }
  static rgm_model copy(const Adapted& policy, Follower& out) {
    return copy_of_policy(
        policy.model, policy.adapters.get(), [&](const auto& model) { return attach(policy, model); }, out);
  }
  // What the plug-ins' functions answer for a handle.
  static std::vector<float> logprobs(rgm_model& handle) {
    const Tensor tokens = tokens_of({some_tokens(9, 1), some_tokens(9, 2)});
    const rgm_pass pass{sizeof(rgm_pass), RGM_LOGPROBS, tokens.get(), nullptr, nullptr, 1, nullptr};
    rgm_tensor* out = nullptr;
    check_status(model_table()->forward(&handle, &pass, &out));
    return to_host(Tensor::adopt(out));
  }
  static float divergence(rgm_model& student, rgm_model& teacher) {
    const Tensor tokens = tokens_of({some_tokens(9, 1), some_tokens(9, 2)}), weights = ops::full({2, 9}, 1);
    const rgm_pass pass{sizeof(rgm_pass), 0, tokens.get(), nullptr, nullptr, 1, nullptr};
    rgm_tensor* out = nullptr;
    check_status(model_table()->divergence(&student, &teacher, &pass, weights.get(), RGM_FORWARD_KL, &out));
    return item(Tensor::adopt(out));
  }
  // The share of the way to the policy, of all that follows.
  static void follow_by(const Follower& follower, double rate) {
    rgm_train train;
    train.roles["teacher"] = {};
    train.followers["teacher"] = follower;
    train.after_step = 1;
    follow(train, "teacher", rate);
  }
};

TEST_F(FollowerTest, SharesAFrozenBaseAndHasAdaptersOfItsOwn) {
  const Adapted policy("lora", "{rank: 2}");
  policy.disturb();
  rgm_model learner{policy.model};
  Follower follower;
  rgm_model teacher = copy(policy, follower);
  EXPECT_EQ(teacher.model, policy.model);
  EXPECT_EQ(policy.model->hooks(), policy.adapters.get()) << "the policy's own act in it still";
  ASSERT_EQ(follower.stores.size(), 2u) << "the adapters', what plug-ins filed";
  EXPECT_EQ(follower.stores[0].own->all().size(), 8u) << "a and b at query and value of two layers";
  EXPECT_EQ(follower.stores[0].own->trained_count(), 0);
  const std::vector<float> before = logprobs(learner);
  EXPECT_EQ(logprobs(teacher), before);

  policy.disturb();
  const std::vector<float> after = logprobs(learner);
  EXPECT_NE(after, before);
  EXPECT_EQ(logprobs(teacher), before) << "it stays where it was";
  follow_by(follower, 1);
  EXPECT_EQ(logprobs(teacher), after);
}

// By hand at one number of the adapter: 0.25 of the way from the copy to the policy.
TEST_F(FollowerTest, ItsAdaptersMoveByTheRate) {
  const Adapted policy("lora", "{rank: 2}");
  Follower follower;
  const rgm_model teacher = copy(policy, follower);
  const char* const name = "lora.layers.0.attention.query.b";  // starts at 0
  const NoGradient still;
  const Tensor b = policy.adapters->parameters().find(name)->value, own = follower.stores[0].own->find(name)->value;
  assign(b, ops::full(b.shape(), 8));
  follow_by(follower, 0.25);
  EXPECT_EQ(to_host(own)[0], 2);
  follow_by(follower, 0.5);
  EXPECT_EQ(to_host(own)[0], 5);
}

// In a base that the two share, what a plug-in files for one is not the other's, whichever is asked for first.
TEST_F(FollowerTest, WhatPluginsFileInItIsItsOwn) {
  const Adapted policy("lora", "{rank: 2}");
  rgm_train train;
  train.roles["policy"] = {policy.model};
  train.roles["teacher"] = copy(policy, train.followers["teacher"]);
  train.after_step = 1;
  const rgm_init init{sizeof(rgm_init), RGM_FILL, 1, 0, 4, 0, nullptr};
  const auto file = [&](const char* role) {
    return file_parameter(*scope(train, role, "value"), "weight", dense_view({1}, RGM_F32), init);
  };
  const Tensor own = file("teacher"), policys = file("policy");
  EXPECT_TRUE(policy.model->extra().find("value.weight")->trained);
  const NoGradient still;
  assign(policys, ops::full({1}, 8));
  EXPECT_EQ(item(own), 4);
  follow(train, "teacher", 0.5);
  EXPECT_EQ(item(own), 6);
}

// One model is both sides, and each has its own adapters: as two models would have it.
TEST_F(FollowerTest, ADivergenceFromItTellsTheTwoSetsApart) {
  const Adapted policy("lora", "{rank: 2}"), other("lora", "{rank: 2}");
  other.disturb();
  policy.disturb();
  Follower follower;
  rgm_model teacher = copy(policy, follower);
  policy.disturb();
  rgm_model learner{policy.model}, apart{other.model, false, true};
  const float wanted = divergence(learner, apart);
  EXPECT_GT(wanted, 1e-3);
  EXPECT_NEAR(divergence(learner, teacher), wanted, 1e-4 * wanted);
  EXPECT_NEAR(divergence(teacher, teacher), 0, 1e-5);
}

TEST_F(FollowerTest, ABaseThatIsTrainedIsCopiedAsItIsKept) {
  const Adapted policy("lora", "{rank: 2}");
  Parameters& base = policy.model->parameters();
  base.set_trained(*base.find("norm.weight"), true);
  Follower follower;
  rgm_model learner{policy.model}, teacher = copy(policy, follower);
  EXPECT_NE(teacher.model, policy.model);
  EXPECT_EQ(follower.stores.size(), 3u) << "the transformer's, what plug-ins filed, the adapters'";
  EXPECT_EQ(logprobs(teacher), logprobs(learner));
  const NoGradient still;
  const Tensor norm = base.find("norm.weight")->value;
  assign(norm, 2 * norm);
  policy.disturb();
  EXPECT_NE(logprobs(teacher), logprobs(learner));
  std::vector<std::string> moves;
  follower.visit([&](size_t store, const Parameter&, const Parameter& p) {
    if (store == 0) moves.push_back(p.name);
  });
  EXPECT_EQ(moves, std::vector<std::string>{"norm.weight"}) << "what nobody trains is equal for ever";
  follow_by(follower, 1);
  EXPECT_EQ(logprobs(teacher), logprobs(learner));
}

// What the policy trains is float32 in its copy, too: in bfloat16 a small share of the way would be rounded away.
TEST_F(FollowerTest, WhatMovesIsKeptInFloat32) {
  const auto policy =
      Model::create(small_config(), byte_tokenizer(), 7,
                    NarrowWeights([](const std::string& name, auto&) { return name == "embedding.weight"; }));
  Follower follower;
  const rgm_model teacher = copy_of_policy(policy, nullptr, {}, follower);
  EXPECT_EQ(teacher.model->parameters().find("embedding.weight")->value.dtype(), RGM_BF16);
  EXPECT_EQ(teacher.model->parameters().find("layers.0.mlp.up.weight")->value.dtype(), RGM_F32);
  EXPECT_EQ(policy->frozen_copy()->parameters().find("layers.0.mlp.up.weight")->value.dtype(), RGM_BF16);
}

// One of two layers is trained: of the rest there is one set of weights, and one of their copies in bfloat16.
TEST_F(FollowerTest, WhatNobodyTrainsIsShared) {
  const auto policy = small_model();
  Parameters& all = policy->parameters();
  for (Parameter& p : all.all()) all.set_trained(p, p.name.starts_with("layers.1."));
  policy->use_bfloat16();
  Follower follower;
  const rgm_model teacher = copy_of_policy(policy, nullptr, {}, follower);
  const auto two = [&](const char* name) {
    return std::pair(all.find(name), std::as_const(teacher.model->parameters()).find(name));
  };
  const auto [frozen, same] = two("layers.0.mlp.up.weight");
  EXPECT_EQ(same->value.get(), frozen->value.get());
  EXPECT_EQ(same->half.get(), frozen->half.get());
  const auto [trained, own] = two("layers.1.mlp.up.weight");
  EXPECT_NE(own->value.get(), trained->value.get());
  EXPECT_NE(own->half.get(), trained->half.get());
  EXPECT_TRUE(trained->value.needs_gradient());
  EXPECT_FALSE(own->value.needs_gradient());
}

TEST_F(FollowerTest, AModelThatIsNamedHasThePolicysShape) {
  const auto policy = small_model(), same = small_model("gpt2", 8), another = small_model("llama");
  const Follower follower = named_follower("stage \"s\": reference", *same, false, *policy, false);
  EXPECT_FALSE(follower.is_copy);
  follow_by(follower, 1);
  EXPECT_EQ(same->parameters().sha256(), policy->parameters().sha256());
  ModelConfig deeper = small_config();
  deeper.layers = 3;
  const auto refused = [&](Model& its, bool its_adapters, bool policy_adapters) {
    return failure_of([&] { named_follower("stage \"s\": reference", its, its_adapters, *policy, policy_adapters); });
  };
  EXPECT_THAT(refused(*another, false, false),
              HasSubstr("stage \"s\": reference: follows the policy, but is of the family llama and the policy of "
                        "gpt2; use a model of the same base"));
  EXPECT_THAT(refused(*Model::create(deeper, byte_tokenizer(), 7), false, false),
              HasSubstr("but the policy has no \"layers.2."));
  EXPECT_THAT(refused(*same, true, false), HasSubstr("fold that in first (`regimen merge`)"));
  EXPECT_THAT(refused(*same, false, true), HasSubstr("leave it out, and it starts as the policy"));
}

}  // namespace
}  // namespace rgm::test
