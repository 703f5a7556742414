// repetition.cpp - tokens of a row are counted by index, and all logits are computed anew: no shape depends on how long
// the texts are.
#include "generate/repetition.hpp"

#include "base/error.hpp"
#include "tensor/ops.hpp"

namespace rgm {

Repetition::Repetition(double penalty, std::span<const std::span<const int32_t>> texts, int64_t V)
    : penalty_(penalty), ones_(ops::full({std::ssize(texts)}, 1)) {
  std::vector<int32_t> rows, places;
  for (const std::span<const int32_t> text : texts) {
    const int64_t row = std::ssize(rows) * V;
    require(row + V <= INT32_MAX, "a repetition penalty: {} rows of {} tokens are more than an index can name",
            texts.size(), V);
    rows.push_back(static_cast<int32_t>(row));
    for (const int32_t token : text)
      if (token < V) places.push_back(static_cast<int32_t>(row + token));
  }
  rows_ = from_host(std::span<const int32_t>(rows), {std::ssize(rows)});
  counts_ = ops::full({std::ssize(rows) * V}, 0);
  if (places.empty()) return;
  ops::scatter_add(counts_, 0, from_host(std::span<const int32_t>(places), {std::ssize(places)}),
                   ops::full({std::ssize(places)}, 1));
}

void Repetition::add(const Tensor& tokens) { ops::scatter_add(counts_, 0, rows_ + tokens, ones_); }

Tensor Repetition::penalized(const Tensor& logits) const {
  const Tensor is_positive = ops::binary(RGM_LESS, ops::full({}, 0), logits);
  const Tensor repeated = ops::select(is_positive, logits / ops::full({}, penalty_), penalty_ * logits);
  return ops::select(ops::reshape(counts_, logits.shape()), repeated, logits);
}

}  // namespace rgm
