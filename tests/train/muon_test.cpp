// muon_test.cpp - steps that a reader can check by hand, and who goes by Muon.
#include "train/muon.hpp"

#include <map>

#include "matrices.hpp"
#include "model/small.hpp"
#include "train/optimizer.hpp"
#include "train/rates.hpp"

namespace rgm::test {
namespace {

// What a step makes of one singular value.
double polynomial(double s) { return 3.4445 * s - 4.7750 * s * s * s + 2.0315 * s * s * s * s * s; }

Tensor copied(const Tensor& x) { return from_host(std::span<const float>(to_host(x)), x.shape()); }
Tensor kept_transposed(const Tensor& x) { return ops::transpose(copied(ops::transpose(x))); }

class Muon : public TensorTest {
 protected:
  Muon() {
    spec_.kind = "muon";
    spec_.learning_rate = 0.1;
    spec_.momentum = 0.95;
    spec_.newton_schulz_steps = 1;
  }
  Parameter& add(const char* name, const Tensor& value, bool trained = true) {
    return parameters_.add(name, value, trained);
  }
  Parameter& add_ones(const char* name, const Shape& shape, bool trained = true) {
    return add(name, copied(ops::broadcast(ops::full({}, 1), shape)), trained);
  }
  // A step whose gradient of the parameters is that; all others have one of 1 everywhere.
  void step(Optimizer& optimizer, int64_t step, const std::map<std::string, Tensor>& gradients, double factor = 1) {
    Tensor loss = ops::full({}, 0);
    for (const Parameter& p : parameters_.all()) {
      const auto given = gradients.find(p.name);
      loss = loss + ops::sum(given == gradients.end() ? p.value : p.value * given->second);
    }
    loss = factor * loss;
    backward(loss);
    optimizer.step(step, spec_.learning_rate, 0, loss);
  }
  std::map<std::string, Tensor> state(const Optimizer& optimizer) const {
    std::map<std::string, Tensor> out;
    optimizer.visit([&](const std::string& name, const Tensor& value) { out[name] = value; });
    return out;
  }

  OptimizerSpec spec_;
  Parameters parameters_;
  Parameters* const stores_[1] = {&parameters_};
};

// The gradient is (3, 0, 0), (0, 4, 0): over its norm 0.6 and 0.8, on which the polynomial works alone. An update of
// 2 x 3 is multiplied by 0.2 sqrt(3), the rate is 0.1, and before it a weight of 1 loses 0.1 of a half.
TEST_F(Muon, MovesAMatrixByOneStepAsByHand) {
  spec_.weight_decay = 0.5;
  const Parameter& w = add_ones("layers.0.mlp.up.weight", {2, 3});
  Optimizer optimizer(spec_, stores_);
  step(optimizer, 1, {{w.name, values({3, 0, 0, 0, 4, 0}, {2, 3})}});
  EXPECT_NEAR(polynomial(0.6), 1.193269, 1e-6);
  EXPECT_NEAR(polynomial(0.8), 0.976482, 1e-6);
  const double by = 0.1 * 0.2 * std::sqrt(3.0);
  expect_matrix(w.value, {{0.95 - by * 1.193269, 0.95, 0.95}, {0.95, 0.95 - by * 0.976482, 0.95}}, 1e-6);
}

// With a momentum of a half, gradients of (1, 0), (0, 0) and (0, 0), (0, 1) leave means of 1/4 and 1/2, which Nesterov
// mixes with the second once more: 1/8 and 3/4.
TEST_F(Muon, TheMomentumIsAMeanAndNesterovLooksAhead) {
  for (const bool nesterov : {false, true}) {
    spec_.nesterov = nesterov;
    spec_.momentum = 0.5;
    parameters_ = Parameters();
    const Parameter& w = add_ones("layers.0.mlp.up.weight", {2, 2});
    Optimizer optimizer(spec_, stores_);
    step(optimizer, 1, {{w.name, values({1, 0, 0, 0}, {2, 2})}});
    const double first = matrix_of(w.value)[0][0], by = 0.1 * 0.2 * std::sqrt(2.0);
    EXPECT_NEAR(first, 1 - by * polynomial(1), 1e-6);
    step(optimizer, 2, {{w.name, values({0, 0, 0, 1}, {2, 2})}});
    expect_matrix(state(optimizer).at("m0.layers.0.mlp.up.weight"), {{0.25, 0}, {0, 0.5}}, 1e-6);
    const double x = nesterov ? 1.0 / 8 : 1.0 / 4, y = nesterov ? 3.0 / 4 : 1.0 / 2, norm = std::hypot(x, y);
    expect_matrix(w.value, {{first - by * polynomial(x / norm), 1}, {1, 1 - by * polynomial(y / norm)}}, 1e-6);
  }
}

TEST_F(Muon, ATransposedWeightMovesAlike) {
  const Tensor start = sample({3, 5}, 1), gradient = sample({3, 5}, 2);
  const Parameter& plain = add("layers.0.a.weight", copied(start));
  const Parameter& other = add("layers.1.a.weight", kept_transposed(start));
  ASSERT_EQ(other.value.view().stride[0], 1);
  Optimizer optimizer(spec_, stores_);
  for (const int64_t i : {1, 2}) step(optimizer, i, {{plain.name, gradient}, {other.name, gradient}});
  expect_near(plain.value, other.value, 1e-6);
}

// Query, key and value of a fused weight are three matrices, as where they are parameters of their own.
TEST_F(Muon, PartsOfAFusedWeightAreMatricesOfTheirOwn) {
  for (const bool turned : {false, true}) {
    parameters_ = Parameters();
    const Tensor start = sample({6, 3}, 1), gradient = sample({6, 3}, 2);
    const auto rows = [](const Tensor& x, int64_t begin, int64_t end) { return copied(ops::slice(x, 0, begin, end)); };
    Parameter& fused = add("layers.0.attention.qkv.weight", turned ? kept_transposed(start) : copied(start));
    fused.parts = {2, 3, 1};
    std::map<std::string, Tensor> gradients{{fused.name, gradient}};
    std::vector<const Parameter*> apart;
    for (const auto& [name, begin, end] :
         {std::tuple("layers.0.query", 0, 2), std::tuple("layers.0.key", 2, 5), std::tuple("layers.0.value", 5, 6)}) {
      apart.push_back(&add(name, rows(start, begin, end)));
      gradients[name] = rows(gradient, begin, end);
    }
    Optimizer optimizer(spec_, stores_);
    for (const int64_t i : {1, 2}) step(optimizer, i, gradients);
    const Tensor values[] = {apart[0]->value, apart[1]->value, apart[2]->value};
    expect_near(fused.value, ops::concat(values, 0), 1e-6);
  }
}

TEST_F(Muon, TheModelSaysWhatIsFused) {
  const auto parts = [](const char* family, const char* name) {
    return small_model(family)->parameters().find(name)->parts;
  };
  EXPECT_THAT(parts("gpt2", "layers.1.attention.qkv.weight"), testing::ElementsAre(16, 16, 16));
  EXPECT_THAT(parts("gpt_neox", "layers.0.attention.qkv.weight"), testing::ElementsAre(16, 16, 16));
  EXPECT_THAT(parts("gpt2", "layers.0.mlp.up.weight"), testing::IsEmpty());
  EXPECT_THAT(parts("llama", "layers.0.attention.query.weight"), testing::IsEmpty());
}

// AdamW's first step is its rate, whatever the gradient; a weight of 1 that decays by a half has lost that times the
// rate before.
TEST_F(Muon, EverythingElseGoesByAdamWWithItsOwnRateAndDecay) {
  spec_.adamw_learning_rate = 0.2;
  spec_.adamw_weight_decay = 0.5;
  spec_.beta1 = 0.5, spec_.beta2 = 0.75;
  const Parameter& embedding = add_ones("embedding.weight", {4, 2});
  const Parameter& bias = add_ones("layers.0.mlp.up.bias", {2});
  Parameter& factors = add_ones("ia3.layers.0.mlp.down.l", {1, 2});
  factors.scales = true;
  const Parameter& lora = add_ones("lora.layers.0.mlp.up.a", {2, 3});
  const Parameter& frozen = add_ones("layers.0.mlp.down.weight", {2, 2}, /*trained=*/false);
  Optimizer optimizer(spec_, stores_);
  step(optimizer, 1, {});
  for (const float found : to_host(embedding.value)) EXPECT_NEAR(found, 0.9 - 0.2, 1e-6);
  for (const float found : to_host(bias.value)) EXPECT_NEAR(found, 0.8, 1e-6);
  for (const float found : to_host(factors.value)) EXPECT_NEAR(found, 0.8, 1e-6);
  // All six are alike, so the one singular value is the norm and becomes that of 1, spread over six.
  const double moved = 0.1 * 0.2 * std::sqrt(3.0) * polynomial(1) / std::sqrt(6.0);
  for (const float found : to_host(lora.value)) EXPECT_NEAR(found, 1 - moved, 1e-6);
  EXPECT_EQ(to_host(frozen.value)[0], 1);

  std::vector<std::string> names;
  for (const auto& [name, value] : state(optimizer)) names.push_back(name);
  EXPECT_THAT(names, testing::ElementsAre("m0.embedding.weight", "m0.ia3.layers.0.mlp.down.l",
                                          "m0.layers.0.mlp.up.bias", "m0.lora.layers.0.mlp.up.a", "v0.embedding.weight",
                                          "v0.ia3.layers.0.mlp.down.l", "v0.layers.0.mlp.up.bias"));
  EXPECT_EQ(optimizer.state_bytes(), 4 * (6 + 2 * (8 + 2 + 2)));
  EXPECT_EQ(muon_parameters(spec_, stores_), 6);
  EXPECT_EQ(muon_flops(spec_, stores_), 4 * 2 * 2 * 3 + 2 * 2 * 2 * 2);
}

TEST_F(Muon, PatternsSayWhichMatrices) {
  add_ones("layers.0.mlp.up.weight", {2, 2});
  add_ones("layers.0.attention.output.weight", {2, 3});
  add_ones("layers.0.mlp.up.bias", {2});
  add_ones("head.weight", {5, 2});
  spec_.matrices = {"*.mlp.*", "head.*"};
  EXPECT_EQ(muon_parameters(spec_, stores_), 4 + 10);
  spec_.kind = "adamw";
  EXPECT_EQ(muon_parameters(spec_, stores_), 0);
}

TEST_F(Muon, RatesByPatternHoldForBoth) {
  spec_.rates = {{"layers.1.*", 0.4}};
  spec_.adamw_learning_rate = 0.2;
  for (const char* name : {"layers.0.up.weight", "layers.1.up.weight"}) add_ones(name, {2, 2});
  for (const char* name : {"layers.0.up.bias", "layers.1.up.bias", "norm.weight"}) add_ones(name, {3});
  const std::vector<RateCount> counts = count_rates(spec_, stores_);
  const auto is = [](const RateCount& c, const char* pattern, double rate, int64_t count, const char* optimizer) {
    return c.pattern == pattern && c.learning_rate == rate && c.parameters == count && c.optimizer == optimizer;
  };
  ASSERT_EQ(counts.size(), 4U);
  EXPECT_TRUE(is(counts[0], "layers.1.*", 0.4, 4, "muon"));
  EXPECT_TRUE(is(counts[1], "layers.1.*", 0.4, 3, "adamw"));
  EXPECT_TRUE(is(counts[2], "", 0.1, 4, "muon"));
  EXPECT_TRUE(is(counts[3], "", 0.2, 6, "adamw"));
}

// The numbers of a step that is not finite go nowhere, nor do those of the steps after it.
TEST_F(Muon, AStepThatIsNotFiniteLeavesEverythingAsItWas) {
  const Parameter& w = add("layers.0.mlp.up.weight", sample({2, 3}, 1));
  const Parameter& bias = add_ones("layers.0.mlp.up.bias", {2});
  Optimizer optimizer(spec_, stores_);
  step(optimizer, 1, {});
  const std::vector<float> before = to_host(w.value), others = to_host(bias.value);
  const auto state_of = [&](const char* name) { return to_host(state(optimizer).at(name)); };
  const std::vector<float> momentum = state_of("m0.layers.0.mlp.up.weight");
  step(optimizer, 2, {}, std::nan(""));
  step(optimizer, 3, {});
  EXPECT_EQ(to_host(w.value), before);
  EXPECT_EQ(to_host(bias.value), others);
  EXPECT_EQ(state_of("m0.layers.0.mlp.up.weight"), momentum);
  EXPECT_EQ(optimizer.steps_missed(), 2);
}

TEST_F(Muon, GoesOnFromItsStateWithTheSameBits) {
  spec_.newton_schulz_steps = 5;
  const Parameter& w = add("layers.0.mlp.up.weight", sample({4, 3}, 1));
  const Parameter& head = add("head.weight", sample({5, 4}, 2));
  const auto gradients = [&](uint32_t i) {
    return std::map<std::string, Tensor>{{w.name, sample({4, 3}, 10 + i)}, {head.name, sample({5, 4}, 20 + i)}};
  };
  Optimizer whole(spec_, stores_);
  step(whole, 1, gradients(1));
  step(whole, 2, gradients(2));
  const std::vector<float> weights = to_host(w.value), heads = to_host(head.value);
  std::map<std::string, std::vector<float>> saved;
  for (const auto& [name, value] : state(whole)) saved[name] = to_host(value);
  step(whole, 3, gradients(3));
  const std::vector<float> wanted = to_host(w.value), wanted_head = to_host(head.value);

  assign(w.value, from_host(std::span<const float>(weights), {4, 3}));
  assign(head.value, from_host(std::span<const float>(heads), {5, 4}));
  Optimizer resumed(spec_, stores_);
  for (const auto& [name, value] : state(resumed))
    assign(value, from_host(std::span<const float>(saved.at(name)), value.shape()));
  step(resumed, 3, gradients(3));
  EXPECT_EQ(to_host(w.value), wanted);
  EXPECT_EQ(to_host(head.value), wanted_head);
}

TEST_F(Muon, TakesNoNewMemoryOnceItHasRun) {
  add("layers.0.attention.qkv.weight", sample({9, 3}, 1)).parts = {3, 3, 3};
  add("layers.0.mlp.up.weight", sample({4, 3}, 2));
  add_ones("layers.0.mlp.up.bias", {4});
  Optimizer optimizer(spec_, stores_);
  for (const int64_t i : {1, 2}) step(optimizer, i, {});
  const uint64_t before = device->allocations();
  for (const int64_t i : {3, 4, 5}) step(optimizer, i, {});
  EXPECT_EQ(device->allocations(), before);
}

// The steps of a model that learns one row by heart.
TEST_F(Muon, TheLossOfAModelFalls) {
  const auto model = small_model();
  spec_.learning_rate = 0.02;
  spec_.newton_schulz_steps = 5;
  Parameters* const stores[] = {&model->parameters()};
  Optimizer optimizer(spec_, stores);
  // 12 C^2 a layer
  EXPECT_EQ(muon_parameters(spec_, stores), 2 * (4 * 16 * 16 + 2 * 16 * 32));
  const Tensor tokens = tokens_of({some_tokens(12, 5)}), weights = ops::full({1, 12}, 1.0 / 11);
  std::vector<float> losses;
  for (int64_t i = 1; i <= 10; ++i) {
    const Tensor loss = model->cross_entropy(pass_over(tokens), weights);
    losses.push_back(item(loss));
    backward(loss);
    optimizer.step(i, spec_.learning_rate, 1, loss);
  }
  EXPECT_LT(losses.back(), 0.7 * losses.front());
}

}  // namespace
}  // namespace rgm::test
