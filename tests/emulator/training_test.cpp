// training_test.cpp - training on the GPU in software: steps that look like the one before are captured and replayed,
// and learn to the bit what they learn otherwise.
#include <algorithm>

#include "model/small.hpp"
#include "train/optimizer.hpp"
#include "train/step_gradients.hpp"

namespace rgm::test {
namespace {

int captures = 0, replays = 0;

// The GPU, which counts.
const rgm_backend& counting() {
  static const rgm_backend& gpu = backend_of(EMULATED_GPU);
  static const rgm_backend table = [] {
    rgm_backend b = gpu;
    b.capture_begin = [](rgm_queue* q) { return ++captures, gpu.capture_begin(q); };
    b.replay = [](rgm_queue* q, rgm_captured* captured) { return ++replays, gpu.replay(q, captured); };
    return b;
  }();
  return table;
}

struct Learned {
  std::vector<float> losses, weights, norms, accuracies;
  int captures, replays;
};

void expect_same(const Learned& a, const Learned& b) {
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_EQ(a.norms, b.norms);
  EXPECT_EQ(a.accuracies, b.accuracies);
  EXPECT_TRUE(a.weights == b.weights);
}

// Texts of `length` tokens, the last of each row with a weight of its own, so that the totals of steps differ.
Batch texts(int64_t rows, int64_t length, uint32_t seed) {
  std::vector<TokenExample> examples;
  for (int64_t i = 0; i < rows; ++i) {
    TokenExample& e = examples.emplace_back();
    e.ids = some_tokens(length, seed * 100 + static_cast<uint32_t>(i));
    e.weights.assign(e.ids.size(), 1);
    e.weights.back() = static_cast<float>(seed % 5);
  }
  Batch batch;
  batch.examples = rows;
  batch.columns.insert_or_assign("text", pack(examples, length));
  return batch;
}

struct Training {
  bool capturable = true;
  double dropout = 0;
  std::vector<size_t> forgets = {};  // before these steps

  Learned run(const std::vector<std::vector<Batch>>& steps) const {
    captures = replays = 0;
    const OnDevice device(counting());
    rgm_train train;
    train.policy = small_model("gpt2");
    Model& model = *train.policy;
    std::vector<Parameters*> stores = {&model.parameters()};
    for (Parameter& p : model.parameters().all()) p.value.set_trained(true);
    Optimizer optimizer({}, stores);
    StepGradients gradients(train, stores, capturable, [&](size_t i, Batch* batch) {
      const RandomScope random({1, 2, static_cast<uint32_t>(i), 0});
      Pass pass = pass_over(column(*batch, "text"));
      pass.segments = column(*batch, "text.segments");
      const Tensor weights = column(*batch, "text.weights");
      Tensor loss = model.cross_entropy(pass, weights / total_on_device(train, "text.weights"));
      if (dropout > 0) loss = ops::sum(ops::dropout(ops::reshape(loss, {1}), dropout));
      add_metric(train, "accuracy", ops::detach(loss), ops::sum(weights));
      return loss;
    });
    Learned out{};
    for (size_t i = 0; i < steps.size(); ++i) {
      if (std::ranges::count(forgets, i)) gradients.forget();
      std::vector<Batch> own = steps[i];
      std::vector<Batch*> batches;
      for (Batch& batch : own) batches.push_back(&batch);
      train.begin_step(batches);
      const Tensor loss = gradients.run(batches);
      const Tensor norm = optimizer.step(static_cast<int64_t>(i) + 1, 1e-2, 1, loss);
      out.losses.push_back(item(loss));
      out.norms.push_back(item(norm));
      if (i % 3 == 2)
        for (const auto& [name, value] : train.read_metrics()) out.accuracies.push_back(static_cast<float>(value));
    }
    for (const Parameter& p : model.parameters().all())
      for (const float x : to_host(p.value)) out.weights.push_back(x);
    out.captures = captures, out.replays = replays;
    return out;
  }
};

std::vector<std::vector<Batch>> alike(size_t n, size_t micro_batches = 1) {
  std::vector<std::vector<Batch>> steps(n);
  uint32_t seed = 0;
  for (auto& step : steps)
    for (size_t i = 0; i < micro_batches; ++i) step.push_back(texts(2, 9, ++seed));
  return steps;
}

TEST(CapturedTraining, LearnsTheSameBits) {
  const auto steps = alike(6);
  const Learned usual = Training{.capturable = false}.run(steps), captured = Training{}.run(steps);
  EXPECT_EQ(usual.captures, 0);
  EXPECT_EQ(captured.captures, 1);
  EXPECT_EQ(captured.replays, 5);  // all but the first step
  expect_same(captured, usual);
  EXPECT_LT(captured.losses.back(), captured.losses.front());
}

TEST(CapturedTraining, TakesAllMicroBatchesOfAStepAsOne) {
  const auto steps = alike(4, 3);
  const Learned usual = Training{.capturable = false}.run(steps), captured = Training{}.run(steps);
  EXPECT_EQ(captured.replays, 3);
  expect_same(captured, usual);
}

TEST(CapturedTraining, OtherShapesAreComputedAsUsual) {
  std::vector<std::vector<Batch>> steps = alike(2);
  for (const int64_t length : {7, 9, 9, 9, 8, 8})
    steps.push_back({texts(2, length, static_cast<uint32_t>(20 + steps.size()))});
  const Learned usual = Training{.capturable = false}.run(steps), captured = Training{}.run(steps);
  EXPECT_EQ(captured.captures, 3);
  EXPECT_EQ(captured.replays, 4);  // 9 9 | 7 | 9 9 9 | 8 8, without the first of each
  expect_same(captured, usual);
}

TEST(CapturedTraining, IsCapturedAnewAfterItWasForgotten) {
  const auto steps = alike(6);
  const Learned captured = Training{.forgets = {3}}.run(steps);
  EXPECT_EQ(captured.captures, 2);
  EXPECT_EQ(captured.replays, 5);
  expect_same(captured, Training{.capturable = false}.run(steps));
}

// Random numbers have another key in each step, which is uploaded.
TEST(CapturedTraining, StepsThatDrawRandomNumbersAreNotCaptured) {
  const auto steps = alike(4);
  const Learned captured = Training{.dropout = 0.1}.run(steps);
  EXPECT_EQ(captured.captures, 1);  // tried once
  EXPECT_EQ(captured.replays, 0);
  expect_same(captured, Training{.capturable = false, .dropout = 0.1}.run(steps));
}

}  // namespace
}  // namespace rgm::test
