// choices.hpp - which of several answers a model finds likeliest: each is scored behind its question, which is read
// once for all of them.
#pragma once
#include <cmath>
#include <functional>
#include <span>
#include <vector>

#include "data/choice_rows.hpp"
#include "model/model.hpp"

namespace rgm {

// What a model says of a question's choices.
struct ScoredChoices {
  std::vector<double> logprobs;                    // of each: the sum over its tokens
  std::vector<double> normalized;                  // the same, divided by the choice's bytes in UTF-8
  std::vector<int64_t> tokens;                     // of each
  size_t likeliest = 0, likeliest_normalized = 0;  // the first of those that are equal
};

// Of all questions.
struct ChoiceScore {
  int64_t count = 0, right = 0, right_normalized = 0, cut = 0;  // cut: prompts that did not fit, and lost their front
  double loss = 0;                                              // -log p of the right answers, summed
  int64_t tokens = 0;                                           // of these

  void add(const ChoiceQuestion& question, const ScoredChoices& scored);
  void add(const ChoiceScore& others);
  double accuracy() const { return double(right) / double(count); }
  double accuracy_normalized() const { return double(right_normalized) / double(count); }
  double mean_loss() const { return loss / double(tokens); }
  // The standard error of such a mean: the deviation of the sample (divided by n - 1) over sqrt(n). Of one question
  // it is not known: NaN.
  double error_of(double share) const { return std::sqrt(share * (1 - share) / double(count - 1)); }
};

// A question and its answer as tokens. The two are encoded as one text, and those tokens of it that are more than the
// question alone has are the answer's, as lm-evaluation-harness has it; white space at the end of the question belongs
// to the answer. Where nothing is left of the answer, it is encoded alone.
struct PromptAndAnswer {
  std::vector<int32_t> prompt, answer;
};
PromptAndAnswer encode_answer(const Tokenizer& tokenizer, std::string prompt, std::string answer);

// In the order of the questions. An empty prompt is an end of text. A prompt that leaves no room for the longest answer
// loses its front for that answer. `between` (may be empty) is called between passes, and may throw. RGM_INVALID naming
// the row whose answer alone is longer than the context.
std::vector<ScoredChoices> score_choices(const Model& model, std::span<const ChoiceQuestion> questions,
                                         ChoiceScore& total, const std::function<void()>& between = {});
// What it would throw for one of them, before anything is computed.
void require_scorable(const Model& model, std::span<const ChoiceQuestion> questions);

}  // namespace rgm
