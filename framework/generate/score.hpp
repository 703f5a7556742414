// score.hpp - how well a model predicts what is there: texts token by token, labels and numbers example by example.
#pragma once
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "data/source.hpp"
#include "model/model.hpp"

namespace rgm {

struct Score {
  double loss = 0;                 // summed: -log p of tokens or labels, squares of errors of numbers
  int64_t count = 0, right = 0;    // of what was scored; of that, what the model found likeliest
  int64_t rows = 0, windowed = 0;  // of the data; of these, longer than the context

  void add(double logprob, bool likeliest) {
    loss -= logprob;
    ++count;
    right += likeliest;
  }
  double mean_loss() const { return loss / static_cast<double>(count); }
  double accuracy() const { return static_cast<double>(right) / static_cast<double>(count); }
  double accuracy_error() const {  // the standard error of a share
    return std::sqrt(accuracy() * (1 - accuracy()) / static_cast<double>(count));
  }
};

struct ScoredToken {
  int64_t row, position;  // of the data, in the row
  int32_t token;
  double logprob;
  bool likeliest;
};

// Every token of a row but the first; where it has weights, those whose weight is not 0. A row longer than the context
// is read in windows of as many tokens as the context and one more, each beginning with the last token of the one
// before it, so that each token is scored once. `see` (may be empty) gets the tokens in order. `adapters` (may be
// empty) has the number of the adapter that serves each row.
Score score_texts(const Model& model, std::span<const TokenExample> rows,
                  const std::function<void(const ScoredToken&)>& see = {}, std::span<const int32_t> adapters = {});

// What the model's own head says of an example, and what the data does: a label's number, a value, or nothing.
struct ScoredExample {
  std::span<const float> outputs;
  std::optional<double> truth;
};

// With the model's own head, over a source with the column `text` and, where anything is to be scored, `label` or
// `value`, as `finetune` reads them. `see` (may be empty) gets the examples in order.
Score score_examples(const Model& model, const Source& source,
                     const std::function<void(const ScoredExample&)>& see = {});

// softmax of a classifier's outputs
std::vector<double> probabilities(std::span<const float> outputs);

}  // namespace rgm
