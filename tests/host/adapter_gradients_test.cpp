// adapter_gradients_test.cpp - the gradient of every adapter's parameters against finite differences.
#include "host/plugged.hpp"

namespace rgm::test {
namespace {

struct Variant {
  const char *name, *id, *options;
  const char* only = "";  // parameters with this in their name; DoRA holds a length constant that differences do not
};
void PrintTo(const Variant& v, std::ostream* out) { *out << v.name; }

constexpr Variant variants[] = {
    {"lora", "lora", "{rank: 2, alpha: 2, sites: [\"*.attention.*\", \"*.mlp.up\"]}"},
    {"rslora", "lora", "{rank: 4, alpha: 2, rslora: true, init: gaussian}"},
    {"dora", "lora", "{rank: 2, alpha: 2, dora: true}", ".magnitude"},
    {"ia3", "ia3", "{}"},
    {"prefix", "prefix", "{length: 3}"},
    {"prefix_projection", "prefix", "{length: 3, projection: true, hidden: 5}"},
    {"soft_prompt", "soft_prompt", "{length: 3}"},
    {"series", "series", "{size: 3, activation: tanh, init: normal}"},
    {"series_linear_site", "series", "{size: 3, activation: silu, learned_scale: true, sites: \"*.attention.output\"}"},
    {"lora_embedding", "lora", "{rank: 2, alpha: 2, sites: embedding}"},
    {"series_embedding", "series", "{size: 3, activation: tanh, init: normal, sites: embedding}"},
    {"parallel_embedding", "parallel", "{size: 3, activation: silu, learned_scale: true, sites: embedding}"},
    {"parallel", "parallel", "{size: 3, activation: gelu, scale: 2, sites: [\"*.mlp\", \"*.attention\"]}"},
};

class AdapterGradients : public testing::TestWithParam<Variant> {
 protected:
  OnDevice device{Offer::everything};
};
INSTANTIATE_TEST_SUITE_P(All, AdapterGradients, testing::ValuesIn(variants),
                         [](const auto& info) { return std::string(info.param.name); });

// Each log-probability counts differently.
double weighted(const Adapted& adapted) {
  const std::vector<float> y = to_host(adapted.logprobs()), c = numbers(static_cast<int64_t>(y.size()), 99, -1, 1);
  double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) sum += double(y[i]) * c[i];
  return sum;
}

// By four points: the error of the rule is of the order of step^4, and float32's rounding leaves about 0.01.
double slope(const Adapted& adapted, const Tensor& parameter, size_t element) {
  constexpr double step = 0.001;
  const NoGradient no_gradient;
  const std::vector<float> before = to_host(parameter);
  const auto at = [&](double distance) {
    std::vector<float> moved = before;
    moved[element] += static_cast<float>(distance);
    assign(parameter, from_host(std::span<const float>(moved), parameter.shape()));
    return weighted(adapted);
  };
  const double out = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
  assign(parameter, from_host(std::span<const float>(before), parameter.shape()));
  return out;
}

// Two passes before the first gradient, as of a pair of answers.
TEST_P(AdapterGradients, AreTheSameBitsWhereLayersAreComputedAgain) {
  const auto gradients = [&](bool again) {
    const Adapted adapted(GetParam().id, GetParam().options);
    adapted.disturb();
    adapted.model->recompute = again;
    const Tensor first = adapted.logprobs(), second = adapted.logprobs();
    backward(ops::sum(first * first) + ops::sum(second));
    std::vector<std::vector<float>> out{to_host(first)};
    for (const Parameter& p : adapted.adapters->parameters().all()) out.push_back(to_host(p.value.gradient()));
    return out;
  };
  EXPECT_EQ(gradients(true), gradients(false));
}

TEST_P(AdapterGradients, MatchFiniteDifferences) {
  const Variant& v = GetParam();
  const Adapted adapted(v.id, v.options);
  adapted.disturb();
  const Tensor y = adapted.logprobs();
  const std::vector<float> c = numbers(y.count(), 99, -1, 1);
  backward(ops::sum(y * from_host(std::span<const float>(c), y.shape())));
  size_t checked = 0;
  for (const Parameter& p : adapted.adapters->parameters().all()) {
    if (p.name.find(v.only) == p.name.npos) continue;
    const std::vector<float> gradient = to_host(p.value.gradient());
    for (const size_t element : {size_t{0}, gradient.size() / 2, gradient.size() - 1}) {
      const double expected = slope(adapted, p.value, element);
      EXPECT_NEAR(gradient[element], expected, 0.02 + 0.01 * std::abs(expected)) << p.name << " at " << element;
      ++checked;
    }
  }
  EXPECT_GE(checked, 3u);
}

}  // namespace
}  // namespace rgm::test
