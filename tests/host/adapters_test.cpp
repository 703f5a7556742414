// adapters_test.cpp - adapters in a small model: they start as the base, train alone, are found by patterns, and are
// none of a reference's.
#include "host/adapted.hpp"
#include "host/adapter_instance.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

TEST_F(AdaptersTest, LoraStartsAsTheBaseModel) {
  const Adapted adapted("lora", "{rank: 2}");
  EXPECT_EQ(adapted.adapters->parameters().all().size(), 8u);  // a and b at query and value of two layers
  EXPECT_EQ(adapted.adapters->parameters().all()[0].name, "lora.layers.0.attention.query.a");
  EXPECT_EQ(to_host(adapted.logprobs()), to_host(base()));
}

TEST_F(AdaptersTest, Ia3StartsAsTheBaseModel) { expect_near(Adapted("ia3").logprobs(), base(), 1e-5); }

TEST_F(AdaptersTest, GradientsReachOnlyTheAdapter) {
  for (const char* id : all_adapters) {
    const Adapted adapted(id, few_tokens(id));
    adapted.disturb();
    backward(ops::sum(adapted.logprobs()));
    for (const Parameter& p : adapted.adapters->parameters().all()) {
      ASSERT_TRUE(p.value.gradient()) << p.name;
      EXPECT_GT(item(ops::sum(ops::unary(RGM_ABS, p.value.gradient()))), 0) << p.name;
    }
    for (const Parameter& p : adapted.model->parameters().all()) EXPECT_FALSE(p.value.gradient()) << p.name;
  }
}

TEST_F(AdaptersTest, APatternWithoutASiteIsAnError) {
  EXPECT_THAT(failure_of([] { Adapted("lora", "{sites: \"*.attention.qurey\"}"); }),
              testing::AllOf(HasSubstr("*.attention.qurey"), HasSubstr("did you mean \"*.attention.query\"")));
  EXPECT_THAT(failure_of([] { Adapted("ia3", "{sites: embedding}"); }), HasSubstr("It can act on"));
}

TEST_F(AdaptersTest, ExpertsAreNoSites) {
  const auto model = small_model("olmoe");
  const auto sites = [&](const char* pattern) {
    const std::string patterns[] = {pattern};
    return matched_sites(*model, RGM_LINEAR_SITE | RGM_MLP_SITE, patterns, "lora").size();
  };
  EXPECT_EQ(sites("q_proj"), 2U);
  EXPECT_EQ(sites("*.mlp"), 2U);
  EXPECT_EQ(sites("layers.*"), 2U * (4 + 1));
  for (const char* pattern : {"gate_proj", "*.mlp.experts.*.up", "*.router"})
    EXPECT_THAT(failure_of([&] { sites(pattern); }),
                testing::AllOf(HasSubstr(pattern), HasSubstr("experts of a mixture or their router, which no adapter"),
                               HasSubstr("*.attention.query")));
  EXPECT_THAT(failure_of([&] { sites("*.router"); }), HasSubstr("or \"*.mlp\" for an adapter beside all experts"));
  const auto linear_alone = [&] {
    matched_sites(*model, RGM_LINEAR_SITE, std::array<std::string, 1>{"*.router"}, "lora");
  };
  EXPECT_THAT(failure_of(linear_alone), Not(HasSubstr("*.mlp")));
  EXPECT_THAT(failure_of([&] { sites("*.mpl"); }), HasSubstr("did you mean"));
}

TEST_F(AdaptersTest, ReferencesHaveNone) {
  const Adapted adapted("lora");
  adapted.disturb();
  rgm_model policy{adapted.model}, reference{adapted.model, true, true};
  const Tensor tokens = tokens_of({some_tokens(9, 1), some_tokens(9, 2)}), weights = ops::full({2, 9}, 1);
  const rgm_pass pass{sizeof(rgm_pass), RGM_LOGPROBS, tokens.get(), nullptr, nullptr, 1, nullptr};
  rgm_tensor* out = nullptr;
  ASSERT_EQ(host_table()->models->forward(&reference, &pass, &out), RGM_OK);
  EXPECT_EQ(to_host(Tensor::adopt(out)), to_host(base()));
  EXPECT_EQ(adapted.model->hooks(), adapted.adapters.get());

  // The model against itself without adapters is the model against a frozen base.
  rgm_model other{small_model(), false, true};
  const auto divergence = [&](rgm_model& teacher) {
    EXPECT_EQ(host_table()->models->divergence(&policy, &teacher, &pass, weights.get(), RGM_FORWARD_KL, &out), RGM_OK);
    return Tensor::adopt(out);
  };
  const Tensor d = divergence(reference);
  EXPECT_GT(item(d), 0);
  EXPECT_TRUE(d.needs_gradient());
  EXPECT_EQ(item(d), item(divergence(other)));
  const NoGradient evaluating;
  EXPECT_EQ(item(divergence(reference)), item(d));
  EXPECT_EQ(item(divergence(policy)), 0);
}

}  // namespace
}  // namespace rgm::test
