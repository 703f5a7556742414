// optimizer_test.cpp - updates that a reader can check by hand.
#include "train/optimizer.hpp"

#include "tensor/fixture.hpp"
#include "tensor/tape.hpp"

namespace rgm::test {
namespace {

class Updates : public TensorTest {
 protected:
  // All ones.
  Tensor add(const char* name, const Shape& shape, bool scales = false) {
    const std::vector<float> ones(static_cast<size_t>(shape.count()), 1.0F);
    Parameter& p = parameters_.add(name, from_host(std::span<const float>(ones), shape), true);
    p.scales = scales;
    return p.value;
  }
  Parameters parameters_;
};

// With a gradient of 1 and a rate of 0.1 a weight of 1 becomes 0.9, and where it decays by a half 0.95 - 0.1.
TEST_F(Updates, MatricesDecayButThoseThatScaleAndVectorsDoNot) {
  const std::vector<std::pair<Tensor, float>> all = {{add("bias", {3}), 0.9F},
                                                     {add("factors", {3, 1}, true), 0.9F},
                                                     {add("rank_one", {3, 1}), 0.85F},
                                                     {add("matrix", {2, 3}), 0.85F},
                                                     {add("kernel", {2, 1, 3}), 0.85F}};
  Tensor loss = ops::full({}, 0);
  for (const auto& [value, wanted] : all) loss = loss + ops::sum(value);
  backward(loss);
  OptimizerSpec spec;
  spec.kind = "sgd";
  spec.weight_decay = 0.5;
  Parameters* const stores[] = {&parameters_};
  Optimizer(spec, stores).step(1, 0.1, 0, loss);
  for (size_t i = 0; i < all.size(); ++i)
    for (const float found : to_host(all[i].first)) EXPECT_NEAR(found, all[i].second, 1e-6) << i;
}

}  // namespace
}  // namespace rgm::test
