// lora_test.cpp - DoRA with dropout, as PEFT computes it: what the base adds sees all of its input.
#include <cmath>

#include "host/plugged.hpp"
#include "tensor/tape.hpp"

namespace rgm::test {
namespace {

class LoraDropout : public TensorTest {
 protected:
  static size_t site_of(const Model& model) {
    return static_cast<size_t>(std::ranges::find(model.sites(), "layers.0.attention.query", &SiteInfo::name) -
                               model.sites().begin());
  }
  // What the adapter answers there, with the same draws every time.
  static Tensor answer(const Adapted& adapted, const Tensor& x, const Tensor& y) {
    const RandomScope draws({.seed = 11});
    return adapted.adapters->output(site_of(*adapted.model), x, ops::affine(y, 1, 0));
  }
  const Tensor x = sample({2, 5, 16}, 1), y = sample({2, 5, 16}, 2);
};

TEST_F(LoraDropout, DoraLeavesTheBaseAloneAtFirst) {
  const Adapted adapted("lora", "{rank: 2, dora: true, dropout: 0.5, sites: \"*.attention.query\"}");
  expect_near(answer(adapted, x, y), y, 1e-5);
}

// PEFT: y + (m / |W'| - 1) W x' + (m / |W'|) s B A x', x' what dropout leaves of x. LoRA with A = B = 1 and s = 1 shows
// x', as it draws the same.
TEST_F(LoraDropout, DoraThinsOutOnlyWhatItAdds) {
  const Adapted identity("lora", "{rank: 16, alpha: 16, dropout: 0.5, sites: \"*.attention.query\"}");
  std::vector<float> one(256);
  for (size_t i = 0; i < 16; ++i) one[17 * i] = 1;
  {
    const NoGradient no_gradient;
    for (Parameter& p : identity.adapters->parameters().all())
      assign(p.value, from_host(std::span<const float>(one), {16, 16}));
  }
  const std::vector<float> seen = to_host(answer(identity, x, ops::full({2, 5, 16}, 0))), all = to_host(x);
  int dropped = 0;
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_NEAR(seen[i], seen[i] == 0 ? 0 : 2 * all[i], 1e-6);
    dropped += seen[i] == 0;
  }
  EXPECT_GT(dropped, 40);
  EXPECT_LT(dropped, 120);

  const Adapted adapted("lora", "{rank: 2, alpha: 3, dora: true, dropout: 0.5, sites: \"*.attention.query\"}");
  adapted.disturb();
  const std::string name = "lora.layers.0.attention.query.";
  const auto value = [&](const char* parameter) {
    return to_host(adapted.adapters->parameters().find(name + parameter)->value);
  };
  const auto a = value("a"), b = value("b"), m = value("magnitude"), before = to_host(y);
  const auto w = to_host(ops::contiguous(adapted.model->sites()[site_of(*adapted.model)].weight));
  std::vector<float> expected;
  for (size_t row = 0; row < 10; ++row)
    for (size_t out = 0; out < 16; ++out) {
      double base = 0, update = 0, square = 0;
      for (size_t in = 0; in < 16; ++in) {
        const double delta = 1.5 * (double(b[2 * out]) * a[in] + double(b[2 * out + 1]) * a[16 + in]);
        base += double(w[16 * out + in]) * seen[16 * row + in];
        update += delta * seen[16 * row + in];
        square += (w[16 * out + in] + delta) * (w[16 * out + in] + delta);
      }
      const double c = m[out] / std::sqrt(square);
      expected.push_back(static_cast<float>(before[16 * row + out] + (c - 1) * base + c * update));
    }
  expect_near(to_host(answer(adapted, x, y)), expected, 1e-4);
}

// B is 0, so y' = m / |W| * W x: with a base twice as long, as one may become that is trained below the adapter, the
// answer is the same.
TEST_F(LoraDropout, DoraMeasuresTheBaseAsItIsNow) {
  const Adapted adapted("lora", "{rank: 2, dora: true, sites: \"*.attention.query\"}", {}, "llama");
  const Tensor weight = adapted.model->sites()[site_of(*adapted.model)].weight;
  expect_near(answer(adapted, x, y), y, 1e-5);
  {
    const NoGradient no_gradient;
    assign(weight, 2 * weight);
  }
  expect_near(answer(adapted, x, ops::affine(y, 2, 0)), y, 1e-5);
}

}  // namespace
}  // namespace rgm::test
