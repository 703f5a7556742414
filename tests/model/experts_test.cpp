// experts_test.cpp - mixtures of experts: which experts a token meets, what an even load weighs, and what it all costs.
// That the numbers are those of transformers: family_parity_test.cpp.
#include <cmath>

#include "model/small.hpp"
#include "tensor/dry_device.hpp"
#include "tensor/packed.hpp"

namespace rgm::test {
namespace {

std::shared_ptr<Model> one_layer(const char* id, double balance = 0, int64_t experts = 4) {
  ModelConfig config = small_config(id);
  config.layers = 1, config.experts = experts, config.balance = balance;
  config.windows.clear();
  auto model = Model::create(config, byte_tokenizer(), 7);
  const NoGradient no_gradient;
  for (Parameter& p : model->parameters().all())
    if (p.value.rank() == 2) assign(p.value, 10 * p.value);
  return model;
}

std::vector<float> router_gradient(const Model& model) {
  return to_host(model.parameters().find("layers.0.mlp.router.weight")->value.take_gradient());
}

void forget_gradients(const Model& model) {
  for (const Parameter& p : model.parameters().all()) p.value.take_gradient();
}

// Of balance x E x sum over experts of f P for the router, f held as it is, from the router's inputs x (M, C); rows of
// padding have `counts` 0.
std::vector<double> gradient_of_balance(const std::vector<float>& x, const std::vector<float>& w, size_t E, size_t C,
                                        size_t k, double balance, const std::vector<int>& counts) {
  const size_t M = x.size() / C;
  std::vector<double> p(M * E), f(E), out(E * C);
  double N = 0;
  for (size_t m = 0; m < M; ++m) {
    double sum = 0;
    for (size_t e = 0; e < E; ++e) {
      double z = 0;
      for (size_t c = 0; c < C; ++c) z += double(x[m * C + c]) * double(w[e * C + c]);
      sum += p[m * E + e] = std::exp(z);
    }
    for (size_t e = 0; e < E; ++e) p[m * E + e] /= sum;
    N += counts[m];
    for (size_t e = 0; e < E; ++e) {
      size_t likelier = 0;
      for (size_t j = 0; j < E; ++j) likelier += p[m * E + j] > p[m * E + e];
      f[e] += likelier < k ? counts[m] : 0;
    }
  }
  for (size_t m = 0; m < M; ++m) {
    double mean = 0;
    for (size_t e = 0; e < E; ++e) mean += f[e] / N * p[m * E + e];
    for (size_t e = 0; e < E; ++e)
      for (size_t c = 0; c < C; ++c)
        out[e * C + c] += counts[m] * balance * double(E) / N * p[m * E + e] * (f[e] / N - mean) * double(x[m * C + c]);
  }
  return out;
}

TEST(Experts, AnEvenLoadWeighsWhatThePublicationSays) {
  const OnDevice device;
  const auto model = one_layer("olmoe", 2);
  TestHooks hooks(*model);
  std::vector<float> x;
  hooks.inputs["layers.0.mlp"] = [&](const Tensor& given) {
    x = to_host(given);
    return given;
  };
  model->set_hooks(&hooks);
  Pass pass = pass_over(tokens_of({some_tokens(6, 1), some_tokens(6, 2)}));
  const std::vector<int32_t> segments = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0};
  pass.segments = from_host(std::span<const int32_t>(segments), {2, 6});
  const auto learn = [&] {
    const Tensor states = model->hidden(pass);
    backward(ops::sum(states * states));
    const auto out = router_gradient(*model);
    forget_gradients(*model);
    return out;
  };
  const auto plain = learn();
  const auto routing = std::make_shared<Routing>();
  model->set_routing(routing);
  const auto balanced = learn();
  const auto w = to_host(model->parameters().find("layers.0.mlp.router.weight")->value);
  const auto expected = gradient_of_balance(x, w, 4, 16, 2, 2, {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0});
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(double(balanced[i]) - double(plain[i]), expected[i], 1e-3) << i;
    largest = std::max(largest, std::abs(expected[i]));
  }
  EXPECT_GT(largest, 0.05);
  EXPECT_EQ(routing->tokens, 9);
  EXPECT_EQ(routing->layers, 1);
  EXPECT_GE(routing->busiest, 0.5);  // an even load: 2 of 4
  EXPECT_LE(routing->busiest, 1);
}

// The same text twice, so that all parts of the step have the same load: at once, in two micro-batches, in two passes.
TEST(Experts, AnEvenLoadWeighsTheSameHoweverTheStepIsCut) {
  const OnDevice device;
  const auto model = one_layer("qwen3_moe", 2);
  const auto add = [&](const std::vector<std::vector<int32_t>>& rows) {
    const Tensor states = model->hidden(pass_over(tokens_of(rows)));
    return ops::sum(states * states);
  };
  const auto text = some_tokens(6, 1);
  const auto with = [&](double share) { model->set_routing(std::make_shared<Routing>(Routing{.share = share})); };
  with(1);
  backward(add({text, text}));
  const auto at_once = router_gradient(*model);
  for (int i = 0; i < 2; ++i) with(0.5), backward(add({text}));
  expect_near(router_gradient(*model), at_once, 1e-3);
  with(1);
  backward(add({text}) + add({text}));
  expect_near(router_gradient(*model), at_once, 1e-3);
  model->set_routing(nullptr);
  backward(add({text, text}));
  const auto plain = router_gradient(*model);
  double moved = 0;
  for (size_t i = 0; i < plain.size(); ++i) moved = std::max(moved, std::abs(double(plain[i]) - double(at_once[i])));
  EXPECT_GT(moved, 0.05);
}

TEST(Experts, AFrozenRouterIsDrawnNowhere) {
  const OnDevice device;
  const auto model = one_layer("olmoe", 0.5);
  model->parameters().set_trained(*model->parameters().find("layers.0.mlp.router.weight"), false);
  const auto learn = [&] {
    const Tensor states = model->hidden(pass_over(tokens_of({some_tokens(6, 1)})));
    backward(ops::sum(states));
    return to_host(model->parameters().find("embedding.weight")->value.take_gradient());
  };
  const auto plain = learn();
  forget_gradients(*model);
  model->set_routing(std::make_shared<Routing>());
  EXPECT_EQ(learn(), plain);
}

TEST(Experts, OnlyThoseThatATokenMeetsHaveAGradient) {
  const OnDevice device;
  const auto model = one_layer("mixtral", 0, 8);
  backward(ops::sum(model->hidden(pass_over(tokens_of({some_tokens(1, 1)})))));
  int met = 0;
  for (const Parameter& p : model->parameters().all()) {
    const bool is_expert = p.name.find(".experts.") != std::string::npos;
    EXPECT_EQ(p.may_rest, is_expert) << p.name;
    met += is_expert && p.value.gradient();
  }
  EXPECT_EQ(met, 3 * 2);
}

TEST(Experts, ARowWithPaddingSaysWhatItSaysAlone) {
  const OnDevice device;
  const auto model = small_model("qwen2_moe");
  const NoGradient no_gradient;
  const auto text = some_tokens(5, 1);
  std::vector<int32_t> padded = text;
  padded.resize(9);
  Pass pass = pass_over(tokens_of({padded, some_tokens(9, 2)}));
  const std::vector<int32_t> segments = {1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  pass.segments = from_host(std::span<const int32_t>(segments), {2, 9});
  const Tensor together = ops::contiguous(ops::slice(ops::slice(model->hidden(pass), 0, 0, 1), 1, 0, 5));
  expect_near(together, model->hidden(pass_over(tokens_of({text}))), 1e-4);
}

// Packed, with a cache: what is read token by token is what is read at once.
TEST(Experts, WritesPackedAndWithACacheWhatItReadsWithout) {
  const OnDevice device;
  const auto model = small_model("qwen2_moe");
  const NoGradient no_gradient;
  for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, false);
  const Tensor tokens = tokens_of({some_tokens(9, 1), some_tokens(9, 2)});
  const Tensor whole = model->hidden(pass_over(tokens));
  model->pack();
  for (const char* part : {"router", "experts.3.gate", "experts.0.down", "shared.up", "shared_gate"})
    EXPECT_TRUE(packed_form(model->parameters().find(fmt::format("layers.1.mlp.{}.weight", part))->value)) << part;
  KeyValueCache cache(model->config(), 2, 12);
  model->hidden(pass_over(ops::contiguous(ops::slice(tokens, 1, 0, 7))), &cache);
  for (int64_t t = 7; t < 9; ++t) {
    const Tensor next = model->hidden(pass_over(ops::contiguous(ops::slice(tokens, 1, t, t + 1))), &cache);
    expect_near(next, ops::contiguous(ops::slice(whole, 1, t, t + 1)), 1e-4);
  }
}

TEST(Experts, WeightsThatAreNoNumbersGiveAnswersThatAreNone) {
  const OnDevice device;
  const auto model = one_layer("olmoe");
  const NoGradient no_gradient;
  assign(model->parameters().find("layers.0.mlp.router.weight")->value, ops::full({4, 16}, NAN));
  for (const float x : to_host(model->hidden(pass_over(tokens_of({some_tokens(3, 1)}))))) EXPECT_TRUE(std::isnan(x));
}

TEST(Experts, ADeviceThatOnlyCountsSharesTokensEvenly) {
  const OnDevice real;
  const auto dry = make_dry_device(current_device());
  const auto before = share_current_device();
  set_current_device(dry);
  {
    const auto model = one_layer("olmoe", 0, 8);
    backward(ops::sum(model->hidden(pass_over(tokens_of({some_tokens(4, 1)})))));
    for (const Parameter& p : model->parameters().all()) EXPECT_TRUE(!p.may_rest || p.value.gradient()) << p.name;
  }
  set_current_device(before);
}

TEST(Experts, ANewModelHasNoMoreOfThemThanCanBeRead) {
  ModelConfig config = small_config("olmoe");
  config.experts = 1 << 15;
  check(config);
  config.experts = (1 << 15) + 1;
  EXPECT_THROW(check(config), Error);
}

TEST(Experts, FourBitsAreNotForRouters) {
  const OnDevice device;
  ModelConfig config = small_config("qwen2_moe");
  config.channels = 64, config.head_dim = 16, config.expert_hidden = config.shared_hidden = 64;
  const auto model = Model::create(config, byte_tokenizer(), 7, NarrowWeights::all(NarrowWeights::Form::nf4));
  EXPECT_TRUE(is_quantized(model->parameters().find("layers.1.mlp.experts.3.down.weight")->value));
  EXPECT_TRUE(is_quantized(model->parameters().find("layers.1.mlp.shared.up.weight")->value));
  EXPECT_EQ(model->parameters().find("layers.1.mlp.router.weight")->value.dtype(), RGM_BF16);
}

// C 16, heads 4 of 4, kv_heads 2, vocabulary 257; an expert has 48 / 2 = 24 hidden channels
TEST(Experts, WorkIsThatOfTheExpertsOfAToken) {
  const OnDevice device;
  const auto model = one_layer("olmoe", 0, 8);
  EXPECT_EQ(model->config().expert_hidden, 24);
  const double attention = 2 * 16 * 16 + 2 * 16 * 8, router = 8 * 16, experts = 2 * 3 * 16 * 24, head = 257 * 16;
  EXPECT_EQ(model->flops_per_token(9), 6 * (attention + router + experts + head + 16 * 10));
  EXPECT_EQ(model->idle_parameters(), 6 * 3 * 16 * 24);
  const ProductShape down = model->products()[model->products().size() - 2];  // before the head
  EXPECT_EQ(down.in, 24);
  EXPECT_EQ(down.count, 2);
  EXPECT_EQ(down.experts, 8);
  EXPECT_EQ(down.read(1), 2);
  EXPECT_EQ(down.read(2), 8 * (1 - 0.75 * 0.75));
}

}  // namespace
}  // namespace rgm::test
