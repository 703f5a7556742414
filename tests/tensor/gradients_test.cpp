// gradients_test.cpp - every gradient against finite differences, and every composed form against the fused kernel.
#include "cases.hpp"

namespace rgm::test {
namespace {

using Row = std::tuple<size_t, Offer>;

class Gradients : public testing::TestWithParam<Row> {};

// The sum of c y with constants c, so that every element counts differently. In float64, or y's rounding would drown
// small differences.
double weighted(const Tensor& y) {
  const std::vector<float> host = to_host(y), c = numbers(y.count(), 99);
  double sum = 0;
  for (size_t i = 0; i < host.size(); ++i) sum += double(host[i]) * c[i];
  return sum;
}

// The slope by four points, whose error is of order step^4: step 0.01 leaves 1e-8 of that, and 1e-5 of rounding to
// float32 in y.
double slope(const Case& c, std::vector<Tensor> inputs, size_t which, size_t element) {
  constexpr double step = 0.01;
  const NoGradient no_gradient;
  const auto at = [&](double distance) {
    std::vector<float> moved = to_host(inputs[which]);
    moved[element] += static_cast<float>(distance);
    std::vector<Tensor> x = inputs;
    x[which] = from_host(std::span<const float>(moved), inputs[which].shape());
    // Dropout is a constant mask here, but is left out where nothing is recorded.
    const WithGradient scope;
    return weighted(c.run(x));
  };
  return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
}

TEST_P(Gradients, MatchFiniteDifferences) {
  const Case& c = all_cases()[std::get<0>(GetParam())];
  const OnDevice device(std::get<1>(GetParam()));
  const std::vector<Tensor> inputs = inputs_of(c);
  for (const Tensor& x : inputs) x.set_trained(true);
  const Tensor y = c.run(inputs);
  const Tensor weights = from_host(std::span<const float>(numbers(y.count(), 99)), y.shape());
  backward(ops::sum(y * weights));
  std::vector<std::vector<float>> gradients;
  for (const Tensor& x : inputs) {
    ASSERT_TRUE(x.gradient());
    EXPECT_EQ(x.gradient().shape(), x.shape());
    gradients.push_back(to_host(x.gradient()));
    x.set_trained(false);
  }
  for (size_t i = 0; i < inputs.size(); ++i)
    for (size_t e = 0; e < gradients[i].size(); ++e) {
      const double expected = slope(c, inputs, i, e);
      EXPECT_NEAR(gradients[i][e], expected, 2e-4 + 1e-3 * std::abs(expected)) << "input " << i << ", element " << e;
    }
}

TEST_P(Gradients, EqualTheFusedOnes) {
  const Case& c = all_cases()[std::get<0>(GetParam())];
  const auto results = [&](Offer offer) {
    const OnDevice device(offer);
    const std::vector<Tensor> inputs = inputs_of(c);
    for (const Tensor& x : inputs) x.set_trained(true);
    const Tensor y = c.run(inputs);
    std::vector<float> all = to_host(y);
    backward(ops::sum(y * y));
    for (const Tensor& x : inputs)
      for (const float g : to_host(x.gradient())) all.push_back(g);
    return all;
  };
  const std::vector<float> fused = results(Offer::everything), composed = results(std::get<1>(GetParam()));
  ASSERT_EQ(fused.size(), composed.size());
  // Some hundred float32 roundings against one: 1e-5.
  for (size_t i = 0; i < fused.size(); ++i)
    EXPECT_NEAR(fused[i], composed[i], 1e-5 * std::max(1.0f, std::abs(fused[i]))) << i;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Gradients,
    testing::Combine(testing::Range<size_t>(0, all_cases().size()),
                     testing::Values(Offer::everything, Offer::nothing, Offer::refusals, Offer::forward)),
    [](const auto& info) { return all_cases()[std::get<0>(info.param)].name + name_of(std::get<1>(info.param)); });

}  // namespace
}  // namespace rgm::test
