// tape_test.cpp - what the tape keeps, frees, reuses and refuses.
#include "fixture.hpp"

namespace rgm::test {
namespace {

using testing::Each;

using Tape = TensorTest;

// A small network with everything that training has: gather, norm, fused qkv, attention, activation, head.
struct Network {
  Tensor embedding = trained(sample({11, 8}, 1)), norm = trained(sample({8}, 2)), qkv = trained(sample({24, 8}, 3)),
         bias = trained(sample({24}, 4)), out = trained(sample({8, 8}, 5)), up = trained(sample({16, 8}, 6)),
         down = trained(sample({8, 16}, 7));
  std::vector<Tensor> parameters() const { return {embedding, norm, qkv, bias, out, up, down}; }

  Tensor loss(uint32_t micro_batch) const {
    const RandomScope scope({.seed = 1, .micro_batch = micro_batch});
    constexpr int64_t B = 2, T = 5;
    std::vector<int32_t> tokens;
    for (const float x : numbers(B * T, 50 + micro_batch, 0, 11)) tokens.push_back(static_cast<int32_t>(x));
    const Tensor ids = from_host(std::span<const int32_t>(tokens), {B * T});
    Tensor x = ops::reshape(ops::gather(embedding, 0, ids), {B, T, 8});
    {
      const Tensor joined = ops::linear(ops::rms_norm(x, norm, 1e-5), qkv, bias);
      const auto heads = [&](int64_t i) { return ops::reshape(ops::slice(joined, 2, 8 * i, 8 * i + 8), {B, T, 2, 4}); };
      const Tensor y = ops::attention(heads(0), heads(1), heads(2), {});
      const Tensor mixed = ops::dropout(ops::reshape(y, {B, T, 8}), 0.2);
      x = ops::linear(mixed, out, {}, 0, std::move(x));
    }
    const Tensor wide = ops::linear(x, up, {}, RGM_GELU_TANH);
    x = ops::linear(wide, down, {}, 0, std::move(x));
    return ops::head_cross_entropy(ops::reshape(x, {B * T, 8}), embedding, ids, ops::full({B * T}, 0.1), {});
  }
};

TEST_F(Tape, FreesEverythingThatWasSaved) {
  const Network network;
  for (const Tensor& p : network.parameters()) p.set_gradient(ops::full(p.shape(), 0));
  const size_t before = device->bytes_in_use();
  {
    const Tensor loss = network.loss(0);
    EXPECT_GT(device->bytes_in_use(), before);
    backward(loss);
  }
  EXPECT_EQ(device->bytes_in_use(), before);
  { const Tensor forgotten = network.loss(0); }
  EXPECT_EQ(device->bytes_in_use(), before);
}

// y = down(silu(gate x) * up x): the gradients need what gate and up answered; the product is made of these again.
TEST_F(Tape, KeepsOfAGatedMlpWhatItsTwoHalvesAnsweredAndNoMore) {
  const Tensor x = sample({64, 8}, 1), gate = trained(sample({1024, 8}, 2)), up = trained(sample({1024, 8}, 3)),
               down = trained(sample({8, 1024}, 4));
  const auto product = [&] { return ops::multiply(ops::linear(x, gate, {}, RGM_SILU), ops::linear(x, up)); };
  const size_t before = device->bytes_in_use();
  const Tensor y = ops::linear(product(), down);
  EXPECT_EQ(device->bytes_in_use() - before, size_t{4} * (64 * 1024 + 64 * 1024 + 64 * 8));
  backward(ops::sum(y));
  const NoGradient still;
  // Where every y counts 1, the gradient of down(o, i) is the sum of column i of the product.
  const std::vector<float> columns = to_host<float>(ops::reduce(RGM_SUM, 1, product())),
                           found = to_host<float>(down.take_gradient());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], columns[i % 1024], 1e-5);
}

TEST_F(Tape, AllocatesNothingInTheSteadyState) {
  const Network network;
  const auto step = [&] {
    for (uint32_t i = 0; i < 2; ++i) backward(network.loss(i));
    for (const Tensor& p : network.parameters()) p.take_gradient();
  };
  step();
  const uint64_t before = device->allocations();
  step();
  EXPECT_EQ(device->allocations(), before);
}

TEST_F(Tape, GivesTheSameBitsEveryTime) {
  const auto run = [] {
    const Network network;
    for (uint32_t i = 0; i < 3; ++i) backward(network.loss(i));
    std::vector<float> all;
    for (const Tensor& p : network.parameters())
      for (const float g : to_host(p.gradient())) all.push_back(g);
    return all;
  };
  EXPECT_EQ(run(), run());
}

TEST_F(Tape, AddsUpMicroBatches) {
  const Network network;
  std::vector<std::vector<float>> alone;
  for (uint32_t i = 0; i < 2; ++i) {
    backward(network.loss(i));
    alone.push_back(to_host(network.qkv.take_gradient()));
    for (const Tensor& p : network.parameters()) p.take_gradient();
  }
  for (uint32_t i = 0; i < 2; ++i) backward(network.loss(i));
  const std::vector<float> both = to_host(network.qkv.gradient());
  // The product adds to the buffer before it rounds, so the last bit may differ from a sum of two rounded ones.
  for (size_t i = 0; i < both.size(); ++i) EXPECT_NEAR(both[i], alone[0][i] + alone[1][i], 1e-6);
}

TEST_F(Tape, IsEmptyWhereNothingIsTrained) {
  const Tensor x = sample({3}, 1), y = ops::exp(x);
  EXPECT_FALSE(y.needs_gradient());
  const Tensor p = trained(sample({3}, 1));
  EXPECT_TRUE(ops::exp(p).needs_gradient());
  const NoGradient no_gradient;
  EXPECT_FALSE(ops::exp(p).needs_gradient());
}

TEST_F(Tape, ServesOnce) {
  const Tensor x = trained(values({2})), loss = ops::sum(x * x);
  backward(loss);
  EXPECT_THROW(backward(loss), Error);
}

// What a step has kept with its tape would take gradients to where nothing is left.
TEST_F(Tape, RefusesInANewStepWhatAnEarlierOneHasWalked) {
  const Tensor x = trained(values({2})), kept = ops::sum(x * x), unwalked = 2 * kept;
  backward(kept);
  EXPECT_THROW(0.5 * kept, Error);
  EXPECT_THROW(kept + ops::sum(x), Error);
  EXPECT_THROW(backward(unwalked), Error);  // made before, and walked after what it stands on
  {
    const NoGradient still;
    EXPECT_EQ(item(0.5 * kept), 2);
  }
  EXPECT_EQ(item(ops::detach(kept) + ops::sum(x)), 6);
}

TEST_F(Tape, WantsOneNumberThatDependsOnSomethingTrained) {
  const Tensor x = trained(values({2, 3}));
  EXPECT_THROW(backward(x * x), Error);
  EXPECT_THROW(backward(ops::sum(values({2, 3}))), Error);
}

TEST_F(Tape, OfAHundredThousandStepsIsTakenApart) {
  Tensor x = trained(values({1}));
  const Tensor start = x;
  for (int i = 0; i < 100000; ++i) x = x + 0.0f + 1e-9;
  x = {};
  Tensor y = start;
  for (int i = 0; i < 100000; ++i) y = ops::affine(y, 1.00001, 0);
  backward(ops::sum(y));
  EXPECT_NEAR(item(start.gradient()), std::exp(1.0), 0.01);
}

TEST_F(Tape, NeverOverwritesWhatIsStillUsed) {
  const Tensor c = sample({2, 2}, 1);
  const std::vector<float> before = to_host(c);
  const Tensor a = sample({2, 2}, 2);
  ops::matmul(a, false, a, false, 1, c);
  ops::linear(a, a, {}, 0, c);
  EXPECT_EQ(to_host(c), before);
  Tensor given = ops::full({2, 2}, 1);
  const void* memory = given.view().data;
  const Tensor view = ops::reshape(given, {4});
  const Tensor shared = ops::matmul(a, false, a, false, 1, std::move(given));
  EXPECT_NE(shared.view().data, memory);
  EXPECT_THAT(to_host(view), Each(1));
}

TEST_F(Tape, WritesOverWhatNobodyElseHas) {
  const Tensor a = trained(sample({2, 2}, 2));
  Tensor given = ops::full({2, 2}, 1);
  const void* memory = given.view().data;
  const Tensor y = ops::matmul(a, false, a, false, 1, std::move(given));
  EXPECT_EQ(y.view().data, memory);
  Tensor residual = ops::full({2, 2}, 1);
  memory = residual.view().data;
  EXPECT_EQ(ops::linear(a, a, {}, 0, std::move(residual)).view().data, memory);
}

}  // namespace
}  // namespace rgm::test
