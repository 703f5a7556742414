// routed_test.cpp - what a step knows of its experts: the share of tokens of each micro-batch, and the busiest expert.
#include "train/routed.hpp"

#include "model/small.hpp"

namespace rgm::test {
namespace {

Batch batch_of(const std::vector<int64_t>& lengths) {
  std::vector<TokenExample> examples;
  for (const int64_t length : lengths) {
    TokenExample& e = examples.emplace_back();
    e.ids = some_tokens(length, 1);
    e.weights.assign(e.ids.size(), 1);
  }
  Batch out;
  out.examples = std::ssize(lengths);
  out.columns.insert_or_assign("text", pack(examples, 8));
  return out;
}

TEST(Routed, AMicroBatchHasItsShareOfTheTokensOfTheStep) {
  const OnDevice device;
  rgm_train train;
  train.policy = small_model("olmoe");
  Batch long_ones = batch_of({8, 7}), short_one = batch_of({5});  // of the second row one slot is padding
  train.begin_step({&long_ones, &short_one});
  EXPECT_EQ(share_of_tokens(train, long_ones), 0.75);
  EXPECT_EQ(share_of_tokens(train, short_one), 0.25);
}

TEST(Routed, PassesTellWhichShareTheBusiestExpertHas) {
  const OnDevice device;
  rgm_train train;
  train.policy = small_model("mixtral");
  {
    const NoGradient no_gradient;  // all tokens alike: two of four experts have all of them
    const Routed routed(train, 1);
    ASSERT_TRUE(train.policy->routing());
    train.policy->hidden(pass_over(tokens_of({{7}, {7}})));
    KeyValueCache cache(train.policy->config(), 1, 4);
    train.policy->hidden(pass_over(tokens_of({{9}})), &cache);  // of a text that is written: not counted
    routed.tell();
  }
  EXPECT_FALSE(train.policy->routing());
  EXPECT_EQ(train.read_metrics(), (std::vector<std::pair<std::string, double>>{{"busiest_expert", 1}}));
}

// Then a first step whose tokens all go to others is no mistake.
TEST(Routed, ExpertsMayBeAllThatIsTrained) {
  const OnDevice device;
  const auto model = small_model("olmoe");
  Parameters* const stores[] = {&model->parameters()};
  EXPECT_FALSE(trains_experts_alone(stores));
  for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, false);
  EXPECT_FALSE(trains_experts_alone(stores));
  model->parameters().set_trained(*model->parameters().find("layers.0.mlp.experts.3.up.weight"), true);
  EXPECT_TRUE(trains_experts_alone(stores));
  model->parameters().set_trained(*model->parameters().find("layers.0.mlp.router.weight"), true);
  EXPECT_FALSE(trains_experts_alone(stores));
}

TEST(Routed, ADenseModelTellsNothing) {
  const OnDevice device;
  rgm_train train;
  train.policy = small_model("llama");
  const Routed routed(train, 1);
  EXPECT_FALSE(train.policy->routing());
  routed.tell();
  EXPECT_TRUE(train.read_metrics().empty());
}

}  // namespace
}  // namespace rgm::test
