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
  // After a step from a gradient of 1 everywhere.
  Tensor step(Optimizer& optimizer, int64_t step, double rate, double clip) {
    Tensor loss = ops::full({}, 0);
    for (const Parameter& p : parameters_.all()) loss = loss + ops::sum(p.value);
    backward(loss);
    return optimizer.step(step, rate, clip, loss);
  }
  static void expect_all(const Tensor& value, float wanted) {
    for (const float found : to_host(value)) EXPECT_NEAR(found, wanted, 1e-6);
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

// An expert that no token of a step met goes on as with a gradient of 0: v = 0.5 v, p -= 0.1 v. Alone it says nothing.
TEST_F(Updates, AnExpertThatRestsHasAGradientOfZero) {
  const Tensor met = add("met", {2}), rests = add("rests", {2});
  for (const char* name : {"met", "rests"}) parameters_.find(name)->may_rest = true;
  OptimizerSpec spec;
  spec.kind = "sgd";
  spec.momentum = 0.5;
  Parameters* const stores[] = {&parameters_};
  Optimizer optimizer(spec, stores);
  step(optimizer, 1, 0.1, 0);
  expect_all(rests, 0.9F);
  const Tensor loss = ops::sum(met);
  backward(loss);
  optimizer.step(2, 0.1, 0, loss);
  expect_all(met, 0.9F - 0.15F);
  expect_all(rests, 0.9F - 0.05F);
  optimizer.step(3, 0.1, 0, ops::full({}, 0));
  expect_all(rests, 0.9F - 0.05F);
}

// The second step is at half of all rates.
TEST_F(Updates, AParameterMovesByItsOwnRate) {
  const Tensor body = add("body.weight", {3}), weight = add("head.weight", {3}), bias = add("head.bias", {3});
  OptimizerSpec spec;
  spec.kind = "sgd";
  spec.learning_rate = 0.1;
  spec.rates = {{"*.bias", 0.2}, {"head.*", 0.4}};
  Parameters* const stores[] = {&parameters_};
  Optimizer optimizer(spec, stores);
  step(optimizer, 1, 0.1, 0);
  expect_all(body, 0.9F);
  expect_all(weight, 0.6F);
  expect_all(bias, 0.8F);
  step(optimizer, 2, 0.05, 0);
  expect_all(body, 0.85F);
  expect_all(weight, 0.4F);
  expect_all(bias, 0.7F);
}

// Whatever the gradient, AdamW's first step is its rate; a matrix of 1 has lost half of that before, to the decay.
TEST_F(Updates, AdamWTakesEachRateWithAndWithoutDecay) {
  const Tensor bias = add("bias", {3}), matrix = add("matrix", {2, 3}), own_bias = add("own.bias", {3}),
               own_matrix = add("own.matrix", {3, 2});
  OptimizerSpec spec;
  spec.learning_rate = 0.1;
  spec.beta1 = 0.5;
  spec.beta2 = 0.75;
  spec.weight_decay = 0.5;
  spec.rates = {{"own.*", 0.4}};
  Parameters* const stores[] = {&parameters_};
  Optimizer optimizer(spec, stores);
  step(optimizer, 1, 0.1, 0);
  expect_all(bias, 0.9F);
  expect_all(matrix, 0.85F);
  expect_all(own_bias, 0.6F);
  expect_all(own_matrix, 0.4F);
}

// Of 4 ones the norm is 2: clipped to 1 they are halves, whatever rate they go by.
TEST_F(Updates, TheNormIsThatOfAllGradients) {
  const Tensor first = add("first", {2}), second = add("second", {2});
  OptimizerSpec spec;
  spec.kind = "sgd";
  spec.learning_rate = 0.1;
  spec.rates = {{"second", 0.4}};
  Parameters* const stores[] = {&parameters_};
  Optimizer optimizer(spec, stores);
  EXPECT_EQ(item(step(optimizer, 1, 0.1, 1)), 2);
  expect_all(first, 0.95F);
  expect_all(second, 0.8F);
}

}  // namespace
}  // namespace rgm::test
