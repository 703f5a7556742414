// repetition_test.cpp - the repetition penalty: what it makes of logits, which tokens it is for, and what it costs.
#include "generate/repetition.hpp"

#include <algorithm>

#include "generate/generate.hpp"
#include "model/small.hpp"

namespace rgm::test {
namespace {

using Texts = std::vector<std::span<const int32_t>>;

// What transformers' RepetitionPenaltyLogitsProcessor does with a row of logits.
void penalize(std::span<float> logits, std::vector<int32_t> text, float penalty) {
  std::ranges::sort(text);
  text.erase(std::unique(text.begin(), text.end()), text.end());
  for (const int32_t token : text) {
    float& x = logits[static_cast<size_t>(token)];
    x = x > 0 ? x / penalty : x * penalty;
  }
}

class RepetitionPenalty : public TensorTest {
 protected:
  // Always the likeliest token, by a full pass over what `window` leaves of the text.
  std::vector<int32_t> penalized_greedy(std::vector<int32_t> text, size_t n, float penalty) const {
    const NoGradient no_gradient;
    std::vector<int32_t> out;
    while (out.size() < n) {
      if (text.size() > 24) text.erase(text.begin(), text.end() - 12);
      const auto logits = to_host(model->forward(pass_over(tokens_of({text})), RGM_LOGITS)[0]);
      std::vector<float> last(logits.end() - 257, logits.end());
      penalize(last, text, penalty);
      out.push_back(static_cast<int32_t>(std::ranges::max_element(last) - last.begin()));
      text.push_back(out.back());
    }
    return out;
  }
  std::vector<std::vector<int32_t>> answers(const Sampling& s, bool slide = false) const {
    std::vector<std::vector<int32_t>> out;
    for (const Generated& g : generate(*model, prompts, s, slide)) out.push_back(g.tokens);
    return out;
  }
  static Sampling greedily(int64_t tokens, double penalty) {
    Sampling s;
    s.temperature = 0, s.max_tokens = tokens, s.end_at_end_of_text = false, s.repetition_penalty = penalty;
    return s;
  }
  std::shared_ptr<Model> model = small_model();
  const std::vector<std::vector<int32_t>> prompts = {some_tokens(3, 1), some_tokens(8, 2), some_tokens(5, 3)};
};

TEST_F(RepetitionPenalty, DividesPositiveLogitsAndMultipliesOthers) {
  const std::vector<int32_t> first = {0, 1, 4, 0}, second = {2, 3};
  const Repetition repetition(2, Texts{first, second}, 5);
  const Tensor logits = ops::reshape(values({2, -1, 0.5, 3, 0, 4, -4, 4, -3, 1}), {2, 5});
  EXPECT_THAT(to_host(repetition.penalized(logits)), testing::ElementsAre(1, -2, 0.5, 3, 0, 4, -4, 2, -6, 1));
  const Repetition reward(0.5, Texts{first, second}, 5);
  EXPECT_THAT(to_host(reward.penalized(logits)), testing::ElementsAre(4, -0.5, 0.5, 3, 0, 4, -4, 8, -1.5, 1));
}

TEST_F(RepetitionPenalty, ATokenIsAddedToEachRow) {
  const std::vector<int32_t> first = {0}, nothing;
  Repetition repetition(2, Texts{first, nothing}, 3);
  const Tensor logits = ops::reshape(values({2, 2, 2, -2, -2, -2}), {2, 3});
  EXPECT_THAT(to_host(repetition.penalized(logits)), testing::ElementsAre(1, 2, 2, -2, -2, -2));
  const std::vector<int32_t> next = {2, 1};
  for (int times = 0; times < 2; ++times) {  // once, however often it stands there
    repetition.add(from_host(std::span<const int32_t>(next), {2}));
    EXPECT_THAT(to_host(repetition.penalized(logits)), testing::ElementsAre(1, 2, 1, -2, -4, -2));
  }
}

TEST_F(RepetitionPenalty, TheLikeliestTokenIsThatOfTransformersFormula) {
  for (const double penalty : {1.5, 0.5}) {
    const auto out = answers(greedily(10, penalty));
    for (size_t i = 0; i < prompts.size(); ++i)
      EXPECT_EQ(out[i], penalized_greedy(prompts[i], 10, static_cast<float>(penalty))) << penalty << ' ' << i;
  }
  EXPECT_NE(answers(greedily(10, 1.5)), answers(greedily(10, 1)));
}

// The context has 24 tokens, of which the younger half is kept.
TEST_F(RepetitionPenalty, IsNotForTokensThatAreForgotten) {
  const auto out = answers(greedily(40, 1.5), true);
  for (size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(out[i], penalized_greedy(prompts[i], 40, 1.5F)) << i;
}

// log p of an answer is that of a pass over it, though it was drawn from something else.
TEST_F(RepetitionPenalty, LogProbabilitiesAreThoseBeforeIt) {
  const NoGradient no_gradient;
  Sampling s = greedily(6, 1.5);
  s.temperature = 0.7, s.seed = 3;
  for (const Offer offer : {Offer::everything, Offer::nothing}) {
    device->set_kernels(with_offer(offer));
    const Generated out = generate(*model, {prompts[1]}, s)[0];
    std::vector<int32_t> text = prompts[1];
    text.insert(text.end(), out.tokens.begin(), out.tokens.end());
    const Tensor logits = model->forward(pass_over(tokens_of({text})), RGM_LOGITS)[0];
    const Tensor logprobs = ops::log_softmax(ops::affine(ops::reshape(logits, {-1, 257}), 1 / 0.7, 0), 1);
    const auto all = to_host(logprobs);
    for (size_t i = 0; i < out.tokens.size(); ++i)
      EXPECT_NEAR(out.logprobs[i], all[(7 + i) * 257 + static_cast<size_t>(out.tokens[i])], 1e-4) << i;
  }
}

TEST_F(RepetitionPenalty, TheHostDrawsWhatTheDeviceDraws) {
  Sampling s = greedily(8, 1.3);
  s.temperature = 1, s.top_k = 20, s.answers = 3;
  const auto there = answers(s);
  device->set_kernels(with_offer(Offer::nothing));
  EXPECT_EQ(answers(s), there);
}

int comparisons = 0;
rgm_status counted_binary(rgm_queue* q, int32_t op, const rgm_view* a, const rgm_view* b, const rgm_view* y) {
  comparisons += op == RGM_LESS;
  return reference().kernels(nullptr)->binary(q, op, a, b, y);
}

// Logits are compared with 0 for it.
TEST_F(RepetitionPenalty, OfOneCostsNothing) {
  rgm_kernels counted = device->kernels();
  counted.binary = counted_binary;
  device->set_kernels(counted);
  comparisons = 0;
  answers(greedily(4, 1));
  EXPECT_EQ(comparisons, 0);
  answers(greedily(4, 1.5));
  EXPECT_GT(comparisons, 0);
}

}  // namespace
}  // namespace rgm::test
