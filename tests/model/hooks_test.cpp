// hooks_test.cpp - what acts at a site changes what it should, and nothing else.
#include "model/small.hpp"

namespace rgm::test {
namespace {

class HooksTest : public TensorTest {
 protected:
  HooksTest() { model->set_hooks(&hooks); }
  Tensor hidden(const Pass& given) const {
    const NoGradient no_gradient;
    return model->hidden(given);
  }
  Tensor without() {
    model->set_hooks(nullptr);
    const Tensor out = hidden(pass);
    model->set_hooks(&hooks);
    return out;
  }
  size_t site(const std::string& name) const {
    for (size_t i = 0; i < model->sites().size(); ++i)
      if (model->sites()[i].name == name) return i;
    return SIZE_MAX;
  }
  Tensor& value(const std::string& name) const { return model->parameters().find(name)->value; }

  std::shared_ptr<Model> model = small_model();
  TestHooks hooks{*model};
  Pass pass = pass_over(tokens_of({some_tokens(6, 1), some_tokens(6, 2)}));
};

TEST_F(HooksTest, EverySiteIsThereWithItsViews) {
  const SiteInfo& key = model->sites()[site("layers.1.attention.key")];
  EXPECT_EQ(key.theirs, "transformer.h.1.attn.c_attn");
  EXPECT_EQ(key.kind, RGM_LINEAR_SITE);
  EXPECT_EQ(key.weight.shape(), Shape({16, 16}));
  EXPECT_EQ(to_host(key.weight), to_host(ops::slice(value("layers.1.attention.qkv.weight"), 0, 16, 32)));
  EXPECT_EQ(model->sites()[site("layers.0.attention")].theirs, "transformer.h.0.attn");
  EXPECT_EQ(model->sites()[site("layers.0.mlp")].theirs, "transformer.h.0.mlp");
  EXPECT_EQ(model->sites()[site("layers.0")].theirs, "transformer.h.0");
  EXPECT_EQ(model->sites()[site("embedding")].theirs, "transformer.wte");
}

TEST_F(HooksTest, AnOutputHookOnQueriesIsAChangeOfTheirWeight) {
  const Tensor delta = sample({16, 16}, 5);
  hooks.outputs["layers.0.attention.query"] = [&](const Tensor& x, const Tensor& y) {
    return y + ops::matmul(x, false, delta, true);
  };
  const Tensor hooked = hidden(pass);
  {
    const NoGradient no_gradient;
    const Tensor rows = ops::slice(value("layers.0.attention.qkv.weight"), 0, 0, 16);
    assign(rows, rows + delta);
  }
  expect_near(hooked, without(), 1e-4);
}

TEST_F(HooksTest, AnInputHookOnValuesIsAChangeOfTheirWeight) {
  hooks.inputs["layers.1.attention.value"] = [](const Tensor& x) { return 2 * x; };
  const Tensor hooked = hidden(pass);
  {
    const NoGradient no_gradient;
    const Tensor rows = ops::slice(value("layers.1.attention.qkv.weight"), 0, 32, 48);
    assign(rows, 2 * rows);
  }
  expect_near(hooked, without(), 1e-4);
}

TEST_F(HooksTest, ModulesAreHookedBeforeTheResidual) {
  const auto none = [](const Tensor&, const Tensor& y) { return 0 * y; };
  for (const char* name : {"layers.0.attention", "layers.0.mlp"}) hooks.outputs[name] = none;
  hooks.outputs["layers.1"] = [](const Tensor& x, const Tensor&) { return x; };
  const Tensor y = hidden(pass);  // only the embedding and the last norm are left
  const Tensor rows = ops::gather(value("embedding.weight"), 0, ops::reshape(pass.tokens, {-1}));
  const NoGradient no_gradient;
  const Tensor x = ops::reshape(rows, {2, 6, 16}) + ops::slice(value("positions.weight"), 0, 0, 6);
  expect_near(y, ops::layer_norm(x, value("norm.weight"), value("norm.bias"), 1e-5), 1e-4);
}

TEST_F(HooksTest, HooksThatDoNothingChangeNothing) {
  for (const SiteInfo& s : model->sites()) {
    hooks.outputs[s.name] = [](const Tensor&, const Tensor& y) { return y; };
    if (s.name != "embedding") hooks.inputs[s.name] = [](const Tensor& x) { return x; };
  }
  expect_near(hidden(pass), without(), 1e-5);
  EXPECT_EQ(hooks.passes, 1);
}

// The embeddings of some tokens as a prompt are these tokens.
TEST_F(HooksTest, APromptIsTextInFront) {
  const NoGradient no_gradient;
  const auto front = some_tokens(3, 9);
  hooks.front = ops::gather(value("embedding.weight"), 0, from_host(std::span<const int32_t>(front), {3}));
  EXPECT_EQ(model->virtual_tokens(), 3);
  const Tensor prompted = hidden(pass);
  ASSERT_EQ(prompted.shape(), Shape({2, 6, 16}));

  std::vector<std::vector<int32_t>> rows;
  for (const uint32_t seed : {1, 2}) {
    rows.push_back(front);
    for (const int32_t t : some_tokens(6, seed)) rows.back().push_back(t);
  }
  model->set_hooks(nullptr);
  expect_near(prompted, ops::slice(hidden(pass_over(tokens_of(rows))), 1, 3, 9), 1e-4);

  model->set_hooks(&hooks);  // two packed examples see it as one alone does
  auto two = some_tokens(4, 3);
  const auto second = some_tokens(4, 4);
  const Tensor alone = hidden(pass_over(tokens_of({second})));
  two.insert(two.end(), second.begin(), second.end());
  Pass packed = pass_over(tokens_of({two}));
  packed.segments = indices({1, 1, 1, 1, 2, 2, 2, 2}, {1, 8});
  expect_near(ops::slice(hidden(packed), 1, 4, 8), alone, 1e-4);
}

// Keys and values that a prefix of real tokens leaves are that prefix.
TEST_F(HooksTest, KeysAndValuesInFrontAreReadLikeText) {
  const NoGradient no_gradient;
  hooks.keys = {sample({2, 4, 4}, 5), sample({2, 4, 4}, 6)};
  EXPECT_EQ(model->virtual_tokens(), 2);
  const Tensor whole = hidden(pass);
  KeyValueCache cache(model->config(), 2, 12);
  const auto piece = [&](int64_t begin, int64_t end) {
    return pass_over(ops::contiguous(ops::slice(pass.tokens, 1, begin, end)));
  };
  expect_near(model->hidden(piece(0, 4), &cache), ops::slice(whole, 1, 0, 4), 1e-4);
  expect_near(model->hidden(piece(4, 6), &cache), ops::slice(whole, 1, 4, 6), 1e-4);
  EXPECT_EQ(cache.prefix, 2);

  Pass packed = pass_over(tokens_of({some_tokens(6, 1), some_tokens(6, 2)}));
  packed.segments = indices({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {2, 6});
  expect_near(hidden(packed), whole, 1e-4);
}

TEST_F(HooksTest, APromptAndKeysInACacheOfUnequalRows) {
  const NoGradient no_gradient;
  hooks.keys = {sample({2, 4, 4}, 5), sample({2, 4, 4}, 6)};
  hooks.front = sample({3, 16}, 8);
  KeyValueCache cache(model->config(), 2, 16);
  Pass prefill = pass_over(pass.tokens);
  prefill.counts = {4, 6};
  model->hidden(prefill, &cache);
  const Tensor y = model->hidden(pass_over(tokens_of({{11}, {12}})), &cache);
  auto text = some_tokens(6, 1);
  text.resize(4);
  text.push_back(11);
  expect_near(ops::slice(y, 0, 0, 1), ops::slice(hidden(pass_over(tokens_of({text}))), 1, 4, 5), 1e-4);
  text = some_tokens(6, 2);
  text.push_back(12);
  expect_near(ops::slice(y, 0, 1, 2), ops::slice(hidden(pass_over(tokens_of({text}))), 1, 6, 7), 1e-4);
}

// Keys and a prompt in front stay in sight where a window has left the text's beginning behind.
TEST_F(HooksTest, VirtualTokensAreSeenFromOutsideOfAWindow) {
  const NoGradient no_gradient;
  const auto windowed = small_model("mistral");  // the last 3 tokens
  TestHooks front{*windowed};
  front.keys = {sample({2, 2, 4}, 5), sample({2, 2, 4}, 6)};
  front.front = sample({3, 16}, 8);
  windowed->set_hooks(&front);
  const Tensor whole = windowed->hidden(pass);
  KeyValueCache cache(windowed->config(), 2, 16);
  const auto piece = [&](int64_t begin, int64_t end) {
    return pass_over(ops::contiguous(ops::slice(pass.tokens, 1, begin, end)));
  };
  expect_near(windowed->hidden(piece(0, 5), &cache), ops::slice(whole, 1, 0, 5), 1e-4);
  expect_near(windowed->hidden(piece(5, 6), &cache), ops::slice(whole, 1, 5, 6), 1e-4);
  const auto last = to_host(ops::slice(whole, 1, 5, 6));
  front.keys = {sample({2, 2, 4}, 7), sample({2, 2, 4}, 9)};
  EXPECT_NE(to_host(ops::slice(windowed->hidden(pass), 1, 5, 6)), last);
}

// Layers may differ in how much stands in front of them.
class KeysOfOneLayer : public TestHooks {
 public:
  KeysOfOneLayer(const Model& model, size_t site) : TestHooks(model), site_(site) {}
  std::pair<Tensor, Tensor> key_values(size_t site) override {
    return site == site_ ? TestHooks::key_values(site) : std::pair<Tensor, Tensor>();
  }

 private:
  size_t site_;
};

TEST_F(HooksTest, KeysInFrontOfOneLayerAreDecodedAsRead) {
  const NoGradient no_gradient;
  KeysOfOneLayer some(*model, site("layers.1.attention"));
  some.keys = {sample({2, 4, 4}, 5), sample({2, 4, 4}, 6)};
  model->set_hooks(&some);
  KeyValueCache cache(model->config(), 2, 16);
  Pass prefill = pass_over(pass.tokens);
  prefill.counts = {4, 6};
  model->hidden(prefill, &cache);
  const Tensor y = model->hidden(pass_over(tokens_of({{11}, {12}})), &cache);
  auto text = some_tokens(6, 1);
  text.resize(4);
  text.push_back(11);
  expect_near(ops::slice(y, 0, 0, 1), ops::slice(hidden(pass_over(tokens_of({text}))), 1, 4, 5), 1e-4);
  text = some_tokens(6, 2);
  text.push_back(12);
  expect_near(ops::slice(y, 0, 1, 2), ops::slice(hidden(pass_over(tokens_of({text}))), 1, 6, 7), 1e-4);
}

TEST_F(HooksTest, GradientsReachWhatHooksTrain) {
  const Tensor scale = trained(values({1.5}));
  for (Parameter& p : model->parameters().all()) model->parameters().set_trained(p, false);
  hooks.outputs["layers.0.attention.query"] = [&](const Tensor&, const Tensor& y) { return y * scale; };
  backward(model->cross_entropy(pass, ops::full({2, 6}, 1)));
  ASSERT_TRUE(scale.gradient());
  EXPECT_NE(item(scale.gradient()), 0);
  for (const Parameter& p : model->parameters().all()) EXPECT_FALSE(p.value.gradient()) << p.name;
}

}  // namespace
}  // namespace rgm::test
