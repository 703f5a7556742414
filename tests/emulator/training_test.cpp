// training_test.cpp - training on the GPU in software: steps that look like the one before are captured and replayed,
// and learn to the bit what they learn otherwise.
#include <algorithm>
#include <set>

#include "model/small.hpp"
#include "tensor/dry_device.hpp"
#include "train/optimizer.hpp"
#include "train/step_gradients.hpp"

namespace rgm::test {
namespace {

int captures = 0, replays = 0;
bool is_capturing = false;
int refusals_in_captures = 0, refusals = 0;  // of memory, that are to come

// The GPU, which counts, and has no more memory when a test wants that.
const rgm_backend& counting() {
  static const rgm_backend& gpu = backend_of(EMULATED_GPU);
  static const rgm_backend table = [] {
    rgm_backend b = gpu;
    b.capture_begin = [](rgm_queue* q) {
      is_capturing = true;
      return ++captures, gpu.capture_begin(q);
    };
    b.capture_end = [](rgm_queue* q, rgm_captured** out) {
      is_capturing = false;
      return gpu.capture_end(q, out);
    };
    b.replay = [](rgm_queue* q, rgm_captured* captured) { return ++replays, gpu.replay(q, captured); };
    b.alloc = [](rgm_device* device, size_t bytes, void** out) {
      int& left = is_capturing ? refusals_in_captures : refusals;
      if (left > 0) return --left, keep_failure(RGM_NO_MEMORY, "none is left");
      return gpu.alloc(device, bytes, out);
    };
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
  int refused_in_captures = 0;       // so often memory
  size_t short_behind = SIZE_MAX;    // this step's gradients there is no memory at first

  Learned run(const std::vector<std::vector<Batch>>& steps) const {
    captures = replays = 0;
    refusals_in_captures = capturable ? refused_in_captures : 0;
    const OnDevice device(counting());
    rgm_train train;
    train.policy = small_model("gpt2");
    Model& model = *train.policy;
    std::vector<Parameters*> stores = {&model.parameters()};
    for (Parameter& p : model.parameters().all()) p.value.set_trained(true);
    Optimizer optimizer({}, stores);
    uint64_t step = 0;
    StepGradients gradients(train, stores, capturable, [&](size_t i, Batch* batch) {
      const RandomScope random({1, step, static_cast<uint32_t>(i), 0});
      Pass pass = pass_over(column(*batch, "text"));
      pass.segments = column(*batch, "text.segments");
      const Tensor weights = column(*batch, "text.weights");
      Tensor loss = model.cross_entropy(pass, weights / total_on_device(train, "text.weights"));
      loss = loss * ops::affine(progress_on_device(train), -0.5, 1);  // less from step to step
      if (dropout > 0) loss = ops::sum(ops::dropout(ops::reshape(loss, {1}), dropout));
      add_metric(train, "accuracy", ops::detach(loss), ops::sum(weights));
      return loss;
    });
    Learned out{};
    for (size_t i = 0; i < steps.size(); ++i) {
      if (std::ranges::count(forgets, i)) gradients.forget();
      step = i;
      std::vector<Batch> own = steps[i];
      std::vector<Batch*> batches;
      for (Batch& batch : own) batches.push_back(&batch);
      train.begin_step(batches);
      train.progress = double(i) / double(steps.size());
      const Tensor loss = gradients.run(batches);
      if (i == short_behind) {
        refusals = 2;  // the device tries once more by itself, then asks who has memory to give
        ops::full({1 << 20}, 0);
        EXPECT_EQ(refusals, 0);
      }
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

// Texts of these lengths in rows of at most `row` tokens.
std::vector<Batch> packed(std::initializer_list<int64_t> lengths, uint32_t seed, int64_t row = 9) {
  std::vector<TokenExample> examples;
  for (const int64_t length : lengths) {
    TokenExample& e = examples.emplace_back();
    e.ids = some_tokens(length, ++seed * 100);
    e.weights.assign(e.ids.size(), 1);
  }
  Batch batch;
  batch.examples = std::ssize(examples);
  batch.columns.insert_or_assign("text", pack(examples, row));
  return {batch};
}

// Rows of several texts, cut otherwise in each step, and rows of one text that are as long.
TEST(CapturedTraining, PackedRowsMayBeCutOtherwiseInEachStep) {
  const std::vector<std::vector<Batch>> steps = {packed({4, 5, 9}, 1), packed({3, 6, 9}, 2), packed({7, 2, 9}, 3),
                                                 packed({9, 9}, 4),    packed({9, 7}, 5),    packed({9, 4}, 6)};
  const Learned usual = Training{.capturable = false}.run(steps), captured = Training{}.run(steps);
  EXPECT_EQ(captured.replays, 3) << "the second and third; the last, as a row with padding is not one from end to end";
  expect_same(captured, usual);
}

// Two texts of 8, 6, 9 and 7 tokens together in a row of at most 20: padded to that they repeat.
TEST(CapturedTraining, RowsThatEndElsewhereInEachStepAreTheSamePieceOfWork) {
  const auto steps = [] {
    return std::vector<std::vector<Batch>>{packed({3, 5}, 1, 20), packed({4, 2}, 2, 20), packed({7, 2}, 3, 20),
                                           packed({3, 4}, 4, 20)};
  };
  const auto as_they_are = steps();
  const auto padded = [&] {
    const OnDevice device(counting());
    return steps();
  }();
  EXPECT_EQ(as_they_are[1][0].columns.at("text").length, 6);
  EXPECT_EQ(padded[1][0].columns.at("text").length, 20);
  const Learned usual = Training{}.run(as_they_are), captured = Training{}.run(padded);
  EXPECT_EQ(usual.captures, 0);
  EXPECT_EQ(captured.captures, 1);
  EXPECT_EQ(captured.replays, 3);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(captured.losses[i], usual.losses[i], 1e-3 * usual.losses[i]);
}

// 43 lengths from 1 to 295, in rows of at most 300.
TEST(PackedRows, ComeInFewLengthsWhereTheDeviceCaptures) {
  const auto lengths = [] {
    std::set<int64_t> out;
    for (int64_t n = 1; n <= 300; n += 7) out.insert(packed({n}, 1, 300)[0].columns.at("text").length);
    return out;
  };
  EXPECT_EQ(lengths().size(), 43u);
  {
    const OnDevice device(reference());
    EXPECT_EQ(lengths().size(), 43u);
  }
  const OnDevice device(counting());
  EXPECT_THAT(lengths(), testing::ElementsAre(128, 256, 300));
  const std::shared_ptr<Device> real = set_current_device(make_dry_device(current_device()));
  EXPECT_THAT(lengths(), testing::ElementsAre(128, 256, 300)) << "where memory is only counted, it is that of these";
  set_current_device(real);
}

TEST(CapturedTraining, WithoutMemoryForItStepsGoOnAsUsual) {
  const auto steps = alike(5);
  const Learned usual = Training{.capturable = false}.run(steps);
  const Learned once = Training{.refused_in_captures = 2}.run(steps);
  EXPECT_EQ(once.captures, 2);  // that of the second step failed
  EXPECT_EQ(once.replays, 3);
  expect_same(once, usual);
  const Learned never = Training{.refused_in_captures = 1000}.run(steps);
  EXPECT_EQ(never.captures, 2);
  EXPECT_EQ(never.replays, 0);
  expect_same(never, usual);
}

TEST(CapturedTraining, GivesItsMemoryBackWhereItIsShort) {
  const auto steps = alike(6);
  const Learned captured = Training{.short_behind = 3}.run(steps);
  EXPECT_EQ(captured.captures, 2);
  EXPECT_EQ(captured.replays, 5);
  expect_same(captured, Training{.capturable = false}.run(steps));
}

// Random numbers have another key in each step, which is uploaded.
TEST(CapturedTraining, StepsThatDrawRandomNumbersAreNotCaptured) {
  const auto steps = alike(4);
  const Learned captured = Training{.dropout = 0.1}.run(steps);
  EXPECT_EQ(captured.captures, 2);  // tried twice
  EXPECT_EQ(captured.replays, 0);
  expect_same(captured, Training{.capturable = false, .dropout = 0.1}.run(steps));
}

}  // namespace
}  // namespace rgm::test
