// closed_answers.hpp - answers as a stage that learns from their rows reads them.
#pragma once
#include <optional>
#include <vector>

#include "data/batch.hpp"
#include "model/model.hpp"

namespace rgm {

// The examples that a column of tokens packs.
std::vector<TokenExample> token_examples(const BatchColumn& tokens, int64_t count);

// The batch's one token column, where answers that are `finished` without a token that ends a text, as one of `stop`
// leaves them, get an end of text behind them: a reward has learned from rows that have it. Nothing where none is
// missing, or where `context` has no room for it.
std::optional<Batch> closed_answers(const Batch& batch, const Model& model, int64_t context);

}  // namespace rgm
