// repetition_test.cpp - a repetition penalty on the GPU in software: steps of the same rows are captured with it.
#include "generate/generate.hpp"
#include "model/small.hpp"

namespace rgm::test {
namespace {

int penalized_replays = 0;

const rgm_backend& counting_replays() {
  static const rgm_backend& emulated = backend_of(EMULATED_GPU);
  static const rgm_backend table = [] {
    rgm_backend b = emulated;
    b.replay = [](rgm_queue* q, rgm_captured* captured) { return ++penalized_replays, emulated.replay(q, captured); };
    return b;
  }();
  return table;
}

std::vector<std::vector<int32_t>> penalized_answers(const rgm_backend& backend, const Sampling& s, bool slide) {
  const OnDevice device(backend);
  const auto model = small_model();
  std::vector<std::vector<int32_t>> out;
  for (const Generated& g : generate(*model, {some_tokens(12, 2)}, s, slide)) out.push_back(g.tokens);
  return out;
}

TEST(CapturedRepetition, SaysWhatTheReferenceSays) {
  Sampling s;
  s.temperature = 0, s.max_tokens = 12, s.end_at_end_of_text = false, s.repetition_penalty = 1.5;
  const auto expected = penalized_answers(reference(), s, false);
  penalized_replays = 0;
  EXPECT_EQ(penalized_answers(counting_replays(), s, false), expected);
  EXPECT_EQ(penalized_replays, 8);  // as without it: one from the prompt, two steps as usual, one that lets all grow
  s.repetition_penalty = 1;
  EXPECT_NE(penalized_answers(reference(), s, false), expected);
}

// The 13th token is one too many: the younger 12 are kept, and what fell away is penalized no longer. Nine steps before
// that and four behind it are captured.
TEST(CapturedRepetition, ForgetsWhatTheModelForgets) {
  Sampling s;
  s.seed = 5, s.max_tokens = 20, s.end_at_end_of_text = false, s.repetition_penalty = 1.3;
  penalized_replays = 0;
  EXPECT_EQ(penalized_answers(counting_replays(), s, true), penalized_answers(reference(), s, true));
  EXPECT_EQ(penalized_replays, 13);
}

}  // namespace
}  // namespace rgm::test
