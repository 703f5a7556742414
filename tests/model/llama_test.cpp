// llama_test.cpp - the second family against its formulas, written out in loops of float64 as transformers has them
// (modeling_llama.py): root mean square norms, rotated halves, fewer heads of keys than of queries, a gated mlp.
#include <algorithm>
#include <cmath>

#include "model/small.hpp"

namespace rgm::test {
namespace {

using Rows = std::vector<std::vector<double>>;

class Llama {
 public:
  explicit Llama(const Model& model) : model_(model), c_(model.config()) {}

  Rows logits(const std::vector<int32_t>& tokens) const {
    const Rows table = weight("embedding.weight");
    Rows x;
    for (const int32_t t : tokens) x.push_back(table[static_cast<size_t>(t)]);
    for (int64_t i = 0; i < c_.layers; ++i) {
      const std::string name = fmt::format("layers.{}.", i);
      x = sum(x, attention(norm(x, name + "attention_norm.weight"), name + "attention."));
      const Rows y = norm(x, name + "mlp_norm.weight");
      Rows inner = linear(y, name + "mlp.gate.weight");
      const Rows up = linear(y, name + "mlp.up.weight");
      for (size_t t = 0; t < inner.size(); ++t)
        for (size_t j = 0; j < inner[t].size(); ++j) inner[t][j] *= up[t][j] / (1 + std::exp(-inner[t][j]));
      x = sum(x, linear(inner, name + "mlp.down.weight"));
    }
    return linear(norm(x, "norm.weight"), "head.weight");
  }

 private:
  Rows weight(const std::string& name) const {
    const Tensor& w = model_.parameters().find(name)->value;
    const auto flat = to_host(w);
    const auto width = static_cast<std::ptrdiff_t>(w.size(-1));
    Rows out;
    for (auto at = flat.begin(); at != flat.end(); at += width) out.emplace_back(at, at + width);
    return out;
  }
  Rows linear(const Rows& x, const std::string& name) const {
    const Rows w = weight(name);
    Rows y(x.size(), std::vector<double>(w.size()));
    for (size_t t = 0; t < x.size(); ++t)
      for (size_t o = 0; o < w.size(); ++o)
        for (size_t i = 0; i < w[o].size(); ++i) y[t][o] += x[t][i] * w[o][i];
    return y;
  }
  Rows norm(Rows x, const std::string& name) const {
    const auto w = weight(name)[0];
    for (auto& row : x) {
      double squares = 0;
      for (const double v : row) squares += v * v;
      const double r = 1 / std::sqrt(squares / static_cast<double>(row.size()) + 1e-6);
      for (size_t i = 0; i < row.size(); ++i) row[i] *= r * w[i];
    }
    return x;
  }
  static Rows sum(Rows x, const Rows& y) {
    for (size_t t = 0; t < x.size(); ++t)
      for (size_t i = 0; i < x[t].size(); ++i) x[t][i] += y[t][i];
    return x;
  }
  // x cos + rotate_half(x) sin
  void rotate(Rows& x) const {
    const auto D = static_cast<size_t>(c_.head_dim);
    for (size_t t = 0; t < x.size(); ++t)
      for (size_t head = 0; head < x[t].size(); head += D)
        for (size_t i = 0; i < D / 2; ++i) {
          const double angle =
              static_cast<double>(t) * std::pow(c_.rope.base, -2.0 * static_cast<double>(i) / static_cast<double>(D));
          double &a = x[t][head + i], &b = x[t][head + i + D / 2];
          const double rotated_a = a * std::cos(angle) - b * std::sin(angle);
          b = b * std::cos(angle) + a * std::sin(angle);
          a = rotated_a;
        }
  }
  Rows attention(const Rows& x, const std::string& name) const {
    Rows q = linear(x, name + "query.weight"), k = linear(x, name + "key.weight");
    const Rows v = linear(x, name + "value.weight");
    rotate(q), rotate(k);
    const auto D = static_cast<size_t>(c_.head_dim), H = static_cast<size_t>(c_.heads),
               group = H / static_cast<size_t>(c_.kv_heads);
    Rows y(x.size(), std::vector<double>(H * D));
    for (size_t h = 0; h < H; ++h)
      for (size_t t = 0; t < x.size(); ++t) {
        std::vector<double> p(t + 1);
        double total = 0;
        for (size_t s = 0; s <= t; ++s) {
          double score = 0;
          for (size_t d = 0; d < D; ++d) score += q[t][h * D + d] * k[s][h / group * D + d];
          total += p[s] = std::exp(score / std::sqrt(static_cast<double>(D)));
        }
        for (size_t s = 0; s <= t; ++s)
          for (size_t d = 0; d < D; ++d) y[t][h * D + d] += p[s] / total * v[s][h / group * D + d];
      }
    return linear(y, name + "output.weight");
  }

  const Model& model_;
  const ModelConfig& c_;
};

TEST(LlamaFamily, LogitsAreThoseOfItsFormulas) {
  const OnDevice device;
  const NoGradient no_gradient;
  const auto model = small_model("llama");
  for (Parameter& p : model->parameters().all())  // norms that are not 1 all over
    if (p.value.rank() == 1) assign(p.value, sample(p.value.shape(), 3, 0.5, 1.5));
  const auto tokens = some_tokens(9, 1);
  std::vector<float> expected;
  for (const auto& row : Llama(*model).logits(tokens)) expected.insert(expected.end(), row.begin(), row.end());
  expect_near(to_host(model->forward(pass_over(tokens_of({tokens})), RGM_LOGITS)[0]), expected, 1e-4);
  EXPECT_GT(*std::ranges::max_element(expected), 1);
}

}  // namespace
}  // namespace rgm::test
