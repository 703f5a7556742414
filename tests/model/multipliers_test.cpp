// multipliers_test.cpp - Granite's multipliers reach everything that is computed of a model.
#include <cmath>

#include "model/small.hpp"

namespace rgm::test {
namespace {

// Probabilities of 257 tokens, in double, at each of `count` places.
std::vector<double> shares(const std::vector<float>& logits, size_t place) {
  std::vector<double> out;
  double sum = 0;
  for (size_t v = 0; v < 257; ++v) out.push_back(std::exp(logits[place * 257 + v])), sum += out.back();
  for (double& p : out) p /= sum;
  return out;
}

class Multipliers : public testing::Test {
 protected:
  static ModelConfig config(double divisor) {
    ModelConfig c = small_config("granite");
    c.logits_divisor = divisor;
    return c;
  }
  static std::shared_ptr<Model> made(double divisor) {
    auto out = Model::create(config(divisor), byte_tokenizer(), 7);
    const NoGradient no_gradient;
    for (Parameter& p : out->parameters().all())
      if (p.value.rank() == 2) assign(p.value, 5 * p.value);
    return out;
  }
  OnDevice device;
  const std::vector<int32_t> ids = some_tokens(4, 3);
  const Pass pass = pass_over(tokens_of({ids}));
};

TEST_F(Multipliers, LogitsAndAllThatFollowsFromThemAreDivided) {
  const NoGradient no_gradient;
  const auto plain = made(1), divided = made(2.5);
  const auto logits = to_host(plain->forward(pass, RGM_LOGITS)[0]);
  const auto smaller = to_host(divided->forward(pass, RGM_LOGITS)[0]);
  for (size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(smaller[i], logits[i] / 2.5, 1e-5);
  const auto outputs = divided->forward(pass, RGM_LOGPROBS | RGM_ENTROPY);
  const auto logprobs = to_host(outputs[0]), entropy = to_host(outputs[1]);
  const auto predicted = to_host(divided->predictions(pass).first);
  double loss = 0, apart = 0;
  for (size_t t = 1; t < 4; ++t) {
    const auto p = shares(smaller, t - 1), q = shares(logits, t - 1);
    const double own = std::log(p[static_cast<size_t>(ids[t])]);
    loss -= own;
    EXPECT_NEAR(logprobs[t], own, 1e-5);
    EXPECT_NEAR(predicted[t], own, 1e-5);
    double sum = 0;
    for (size_t v = 0; v < 257; ++v) sum -= p[v] * std::log(p[v]), apart += q[v] * std::log(q[v] / p[v]);
    EXPECT_NEAR(entropy[t], sum, 1e-4);
  }
  const Tensor ones = ops::full({1, 4}, 1);
  EXPECT_NEAR(item(divided->cross_entropy(pass, ones)), loss, 1e-4);
  EXPECT_NEAR(item(divided->divergence(*plain, pass, ones, RGM_FORWARD_KL)), apart, 1e-4);
}

// A prompt of the embedding's own rows reads as those tokens would; Gemma's has to be scaled before.
TEST_F(Multipliers, APromptIsMultipliedLikeTheEmbedding) {
  const NoGradient no_gradient;
  for (const char* family : {"granite", "gemma2"}) {
    const auto model = small_model(family);
    TestHooks hooks(*model);
    const SiteInfo& embedding = model->sites()[model->embedding_site()];
    const Tensor whole = model->hidden(pass);
    hooks.front = embedding.scale * ops::gather(embedding.weight, 0, ops::reshape(tokens_of({{ids[0], ids[1]}}), {-1}));
    model->set_hooks(&hooks);
    const Tensor behind = model->hidden(pass_over(tokens_of({{ids[2], ids[3]}})));
    model->set_hooks(nullptr);
    // All tokens see a prompt, from beyond a window too.
    if (model->config().windows.empty()) {
      expect_near(behind, ops::slice(whole, 1, 2, 4), 1e-4);
    }
    EXPECT_EQ(embedding.scale, family == std::string("granite") ? 1 : 4);  // the root of 16 channels
  }
}

TEST_F(Multipliers, ANewModelExpectsEveryTokenAlike) {
  const NoGradient no_gradient;
  ModelConfig c = small_config("granite");
  c.channels = 64, c.head_dim = 16;
  begin_new(c);
  EXPECT_EQ(c.attention_scale, 1.0 / 16);
  EXPECT_EQ(c.logits_divisor, 1);
  const auto model = Model::create(c, byte_tokenizer(), 7);
  const double loss = item(model->cross_entropy(pass, ops::full({1, 4}, 1.0 / 3)));
  EXPECT_NEAR(loss, std::log(257), 0.6);
}

TEST_F(Multipliers, NothingIsMultipliedByZero) {
  ModelConfig c = small_config("granite");
  c.residual_multiplier = 0;
  EXPECT_THROW(check(c), Error);
}

}  // namespace
}  // namespace rgm::test
