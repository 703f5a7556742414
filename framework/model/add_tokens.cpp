// add_tokens.cpp - a model that is given further special tokens: its embedding, and a head over tokens that is not the
// embedding, have a row for each.
#include <algorithm>

#include "base/error.hpp"
#include "model/model.hpp"
#include "tensor/ops.hpp"
#include "text/added_tokens.hpp"

namespace rgm {
namespace {

constexpr int64_t large_table = int64_t{16} << 20;  // elements

// x (V, C) with `tokens` rows or more: those from `known` to there are the mean of the rows before, so that a new token
// has the mean of all logits (Hewitt 2021, "Initializing New Word Embeddings for Pretrained Language Models"). Spare
// rows behind stay as they are.
Tensor with_rows(const Tensor& x, int64_t known, int64_t tokens) {
  const Tensor before = ops::slice(x, 0, 0, known);
  const Tensor mean = ops::cast(ops::reduce(RGM_MEAN, 1U, ops::cast(before, RGM_F32), true), x.dtype());
  std::vector<Tensor> parts = {before, ops::contiguous(ops::broadcast(mean, {tokens - known, x.size(1)}))};
  if (x.size(0) > tokens) parts.push_back(ops::slice(x, 0, tokens, x.size(0)));
  return ops::concat(parts, 0);
}

}  // namespace

void Model::add_tokens(std::span<const std::string> names) {
  if (hooks_ || packed_ || dtype_ != RGM_F32) throw Error(RGM_INTERNAL, "a model at work gets no further tokens");
  WithTokens with = with_added_tokens(tokenizer_, names);
  if (with.added.empty()) return;
  const NoGradient no_gradient;
  const int64_t known = tokenizer_->vocabulary(), tokens = with.tokenizer->vocabulary();
  config_.vocabulary = std::max(config_.vocabulary, tokens);
  sites_.clear(), layers_.clear();  // which see the tables as they were
  for (const char* const name : {"embedding.weight", "head.weight"}) {
    Parameter* const p = parameters_.find(name);
    if (!p) continue;
    const bool trained = p->trained;
    p->value = with_rows(p->value, known, tokens);
    parameters_.set_trained(*p, trained);
    if (p->value.count() > large_table) current_device().trim();  // the one before would lie idle
  }
  make_layers();
  tokenizer_ = std::move(with.tokenizer);
  new_tokens_.insert(new_tokens_.end(), with.added.begin(), with.added.end());
}

}  // namespace rgm
