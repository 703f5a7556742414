// repetition_penalty_test.cpp - which methods take a repetition penalty, and what they hand on with it.
#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "methods/method.hpp"

namespace rgm::test {
namespace {

class PenalizedMethod : public TensorTest {};

// The same model is asked without a plug-in.
TEST_F(PenalizedMethod, SamplesAsTheHostDoes) {
  const std::vector<std::vector<int32_t>> prompts = {{'a', 'b'}, {'t', 'h', 'e'}};
  Sampling s;
  s.max_tokens = 8, s.seed = mix(5, 0, 0x6E), s.repetition_penalty = 1.5, s.temperature = 0.5;
  for (const auto& [id, count] : {std::pair{"sample", "answers: 1"}, {"best_of_n", "n: 1"}}) {
    Method method(id, std::string("{max_tokens: 8, temperature: 0.5, repetition_penalty: 1.5, ") + count + "}");
    const auto texts = method.rollout({"ab", "the"}, nothing).columns.at("text").texts;
    const auto answers = generate(*method.policy, prompts, s);
    const auto ends = ends_of_text(*method.policy);
    for (size_t i = 0; i < prompts.size(); ++i)
      EXPECT_EQ(texts[i], method.policy->tokenizer()->decode_on(without_end(answers[i].tokens, ends)))
          << id << ' ' << i;
  }
}

// One is the default, and is not handed on: a host that does not know it would refuse.
TEST_F(PenalizedMethod, OfOneChangesNothing) {
  Method without("sample", "{answers: 2, max_tokens: 8}"),
      with("sample", "{answers: 2, max_tokens: 8, repetition_penalty: 1}"),
      other("sample", "{answers: 2, max_tokens: 8, repetition_penalty: 2}");
  const auto texts = without.rollout({"ab", "the"}, nothing).columns.at("text").texts;
  EXPECT_EQ(with.rollout({"ab", "the"}, nothing).columns.at("text").texts, texts);
  EXPECT_NE(other.rollout({"ab", "the"}, nothing).columns.at("text").texts, texts);
}

// Their losses compare probabilities of the draw with those of the policy.
TEST_F(PenalizedMethod, IsNoneThatLearnsFromProbabilities) {
  for (const char* id : {"ppo", "grpo", "rloo"})
    for (const rgm_option* const* o = component(RGM_KIND_STRATEGY, id).data->options; *o; ++o)
      EXPECT_STRNE((*o)->key, "repetition_penalty") << id;
}

}  // namespace
}  // namespace rgm::test
