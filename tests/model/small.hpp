// small.hpp - small models, hooks made of functions, and comparisons.
#pragma once
#include <functional>
#include <map>

#include "model/model.hpp"
#include "tensor/fixture.hpp"

namespace rgm::test {

inline ModelConfig small_config(const char* id = "gpt2") {
  ModelConfig c;
  c.family = &family(id);
  c.layers = 2, c.heads = 4, c.head_dim = 4, c.channels = 16, c.hidden = 32, c.context = 24, c.vocabulary = 257;
  c.kv_heads = c.family->shares_keys() ? 2 : 4;
  if (c.family->has_experts()) c.experts = 4;
  begin_new(c);
  if (c.rope.part < 1) c.rope.part = 0.5;  // a quarter of 4 is no pair
  if (!c.turned.empty()) c.turned[1] = false;
  if (c.family->windows != Windows::none) c.windows = usual_windows(c, 3, 1);
  if (c.window_rope) c.windows[1] = 0;  // a layer of either kind
  return c;
}

// Weights ten times GPT-2's, so that every part of the model is felt.
inline std::shared_ptr<Model> small_model(const char* id = "gpt2", uint64_t seed = 7) {
  auto model = Model::create(small_config(id), byte_tokenizer(), seed);
  const NoGradient no_gradient;
  for (Parameter& p : model->parameters().all())
    if (p.value.rank() == 2) assign(p.value, 10 * p.value);
  return model;
}

inline Tensor tokens_of(const std::vector<std::vector<int32_t>>& rows) {
  std::vector<int32_t> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return from_host(std::span<const int32_t>(all),
                   {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())});
}
inline std::vector<int32_t> some_tokens(int64_t n, uint32_t seed) {
  std::vector<int32_t> out;
  for (const float x : numbers(n, seed, 0, 257)) out.push_back(static_cast<int32_t>(x));
  return out;
}
inline Pass pass_over(const Tensor& tokens) {
  Pass pass;
  pass.tokens = tokens;
  return pass;
}

inline void expect_near(const std::vector<float>& a, const std::vector<float>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance) << "at " << i;
}
inline void expect_near(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  expect_near(to_host(a), to_host(b), tolerance);
}

// What acts at sites, by name.
class TestHooks : public Hooks {
 public:
  explicit TestHooks(const Model& model) : model_(model) {}
  std::map<std::string, std::function<Tensor(const Tensor&)>> inputs;
  std::map<std::string, std::function<Tensor(const Tensor&, const Tensor&)>> outputs;
  std::pair<Tensor, Tensor> keys;  // of every layer
  Tensor front;
  int passes = 0;

  void begin(std::span<const int32_t>, int64_t) override { ++passes; }
  bool has_input(size_t site) const override { return inputs.contains(name(site)); }
  bool has_output(size_t site) const override { return outputs.contains(name(site)); }
  Tensor input(size_t site, const Tensor& x) override { return inputs.at(name(site))(x); }
  Tensor output(size_t site, const Tensor& x, Tensor y) override { return outputs.at(name(site))(x, y); }
  std::pair<Tensor, Tensor> key_values(size_t) override { return keys; }
  Tensor prompt(size_t) override { return front; }

 private:
  const std::string& name(size_t site) const { return model_.sites()[site].name; }
  const Model& model_;
};

}  // namespace rgm::test
