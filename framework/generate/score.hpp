// score.hpp - how well a model predicts what is there: texts token by token, labels and numbers example by example.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/source.hpp"
#include "model/model.hpp"

namespace rgm {

struct Score {
  double loss = 0;                 // summed: -log p of tokens or labels, squares of errors of numbers
  int64_t count = 0, right = 0;    // of what was scored; of that, what the model found likeliest
  int64_t rows = 0, windowed = 0;  // of the data; of these, longer than the context
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

// With the model's own head, over a source with the columns `text` and `label` or `value`, as `finetune` reads them.
Score score_examples(const Model& model, const Source& source);

}  // namespace rgm
