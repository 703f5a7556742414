// decoding_test.cpp - decoding on the GPU in software: steps of the same rows are captured and replayed, and say what
// the reference says.
#include <algorithm>
#include <cstdlib>

#include "generate/generate.hpp"
#include "model/small.hpp"
#include "tensor/captured.hpp"

namespace rgm::test {
namespace {

int captures = 0, replays = 0;

const rgm_backend& gpu() {
  static const rgm_backend& table = backend_of(EMULATED_GPU);
  return table;
}
// The same, which counts; or as one that cannot capture.
const rgm_backend& counting() {
  static const rgm_backend table = [] {
    rgm_backend b = gpu();
    b.capture_begin = [](rgm_queue* q) { return ++captures, gpu().capture_begin(q); };
    b.replay = [](rgm_queue* q, rgm_captured* captured) { return ++replays, gpu().replay(q, captured); };
    return b;
  }();
  return table;
}
const rgm_backend& without_capture() {
  static const rgm_backend table = [] {
    rgm_backend b = gpu();
    b.capture_begin = nullptr;
    return b;
  }();
  return table;
}

std::vector<std::vector<int32_t>> answers(const rgm_backend& backend, const char* family,
                                          const std::vector<std::vector<int32_t>>& prompts, const Sampling& s,
                                          bool slide = false) {
  const OnDevice device(backend);
  const auto model = small_model(family);
  std::vector<std::vector<int32_t>> out;
  for (const Generated& g : generate(*model, prompts, s, slide)) out.push_back(g.tokens);
  return out;
}

class CapturedDecoding : public testing::TestWithParam<const char*> {
 protected:
  CapturedDecoding() { captures = replays = 0; }
};

TEST_P(CapturedDecoding, SaysWhatTheReferenceSays) {
  const std::vector<std::vector<int32_t>> prompts = {some_tokens(3, 1), some_tokens(8, 2), some_tokens(5, 3)};
  Sampling s;
  s.seed = 3, s.max_tokens = 12, s.answers = 2, s.end_at_end_of_text = false;
  const auto expected = answers(reference(), GetParam(), prompts, s);
  EXPECT_EQ(answers(without_capture(), GetParam(), prompts, s), expected);
  EXPECT_EQ(answers(counting(), GetParam(), prompts, s), expected);
  // 12 tokens: one from the prompt, two steps as usual, one that lets everything grow, and eight that are one piece.
  EXPECT_EQ(captures, 1);
  EXPECT_EQ(replays, 8);
}

INSTANTIATE_TEST_SUITE_P(Families, CapturedDecoding, testing::Values("gpt2", "gemma2"));

// Two tables of positions, and a layer without any.
TEST_F(CapturedDecoding, LayersThatTurnPositionsDifferentlyAreCapturedAsTheyAre) {
  Sampling s;
  s.temperature = 0, s.max_tokens = 6, s.end_at_end_of_text = false;
  for (const char* const family : {"gemma3", "smollm3"}) {
    captures = replays = 0;
    const std::vector<std::vector<int32_t>> prompts = {some_tokens(5, 3)};
    EXPECT_EQ(answers(counting(), family, prompts, s), answers(reference(), family, prompts, s)) << family;
    EXPECT_EQ(captures, 1) << family;
    EXPECT_EQ(replays, 2) << family;
  }
}

// The host reads which experts a token has, so nothing is captured.
TEST_F(CapturedDecoding, AMixtureOfExpertsIsNotCaptured) {
  const std::vector<std::vector<int32_t>> prompts = {some_tokens(3, 1), some_tokens(8, 2)};
  Sampling s;
  s.seed = 3, s.max_tokens = 8, s.end_at_end_of_text = false;
  EXPECT_EQ(answers(counting(), "olmoe", prompts, s), answers(reference(), "olmoe", prompts, s));
  EXPECT_EQ(captures, 0);
}

// Rows that end leave, and a row that outgrows the context forgets its first half: what was captured for other rows is
// not what is replayed.
TEST_F(CapturedDecoding, RowsThatLeaveOrForgetAreCapturedAnew) {
  std::vector<std::vector<int32_t>> prompts;
  for (uint32_t i = 0; i < 6; ++i) prompts.push_back(some_tokens(2 + i % 3, i + 1));
  Sampling s;
  s.seed = 5, s.max_tokens = 40;
  for (int byte = 0; byte < 9; ++byte) s.stop.emplace_back(1, static_cast<char>(byte));
  EXPECT_EQ(answers(counting(), "llama", prompts, s, true), answers(reference(), "llama", prompts, s, true));
  EXPECT_GT(captures, 1);
  EXPECT_GT(replays, captures);
}

// What was freed while it was captured belongs to the captured work: nobody else writes there between two replays.
TEST_F(CapturedDecoding, MemoryOfCapturedWorkIsNobodyElses) {
  const OnDevice device(counting());
  const NoGradient no_gradient;
  const Tensor x = values({1, 2, 3, 4});
  Tensor y = ops::full({4}, 0);
  const auto work = [&] { assign(y, ops::affine(ops::affine(x, 2, 1), 10, 0)); };
  work();
  const auto captured = Captured::of(work);
  ASSERT_TRUE(captured);
  std::vector<Tensor> others;
  for (int i = 0; i < 8; ++i) others.push_back(ops::full({4}, 7));
  assign(x, values({2, 2, 2, 2}));
  captured->replay();
  EXPECT_THAT(to_host(y), testing::ElementsAre(50, 50, 50, 50));
  for (const Tensor& other : others) EXPECT_THAT(to_host(other), testing::Each(7));
}

// Sums by index sort their indices in memory of the backend's own, which grows with their number.
struct Sums {
  explicit Sums(int64_t n) : y(ops::full({2}, 0)), x(ops::full({n}, 1)) {
    std::vector<int32_t> places(static_cast<size_t>(n));
    for (size_t i = 0; i < places.size(); ++i) places[i] = i % 4 == 0;
    index = from_host(std::span<const int32_t>(places), {n});
  }
  void add() const { ops::scatter_add(y, 0, index, x); }
  Tensor y, x, index;
};

TEST_F(CapturedDecoding, WhatTheBackendOutgrowsIsCapturedWorksStill) {
  const OnDevice device(counting());
  const NoGradient no_gradient;
  const Sums small(400);
  small.add();
  const auto captured = Captured::of([&] { small.add(); });
  ASSERT_TRUE(captured);
  const Sums large(40000);
  large.add();
  captured->replay();
  EXPECT_THAT(to_host(large.y), testing::ElementsAre(30000, 10000));
  EXPECT_THAT(to_host(small.y), testing::ElementsAre(600, 200));
}

TEST_F(CapturedDecoding, WhatTheBackendGivesBackIsCapturedWorksStill) {
  const OnDevice device(counting());
  const NoGradient no_gradient;
  const Sums sums(400);
  sums.add();
  const auto captured = Captured::of([&] { sums.add(); });
  ASSERT_TRUE(captured);
  current_device().trim();
  const Sums others(400);
  others.add();
  captured->replay();
  EXPECT_THAT(to_host(others.y), testing::ElementsAre(300, 100));
  EXPECT_THAT(to_host(sums.y), testing::ElementsAre(600, 200));
}

TEST_F(CapturedDecoding, AGpuThatFallsAwayIsNotTakenForWorkThatCannotBeCaptured) {
  const OnDevice device(counting());
  const NoGradient no_gradient;
  const Tensor a = ops::full({2, 3}, 1), b = ops::full({3, 4}, 1);
  const auto work = [&] { ops::matmul(a, false, b, false); };
  work();  // what it takes lies idle then
  rgm_status told = RGM_OK;
  try {
    Captured::of([&] {
      setenv("EMULATED_GPU_GONE", "1", 1);
      work();
    });
  } catch (const Error& e) {
    told = e.status();
  }
  unsetenv("EMULATED_GPU_GONE");
  EXPECT_EQ(told, RGM_DEVICE_ERROR);
}

TEST_F(CapturedDecoding, WorkThatUploadsOrWaitsIsNotCaptured) {
  const OnDevice device(counting());
  EXPECT_FALSE(Captured::of([] { values({1, 2}); }));
  const Tensor x = values({1, 2});
  EXPECT_FALSE(Captured::of([&] { to_host(x); }));
  EXPECT_THAT(to_host(x), testing::ElementsAre(1, 2));  // and all goes on
}

}  // namespace
}  // namespace rgm::test
