// repetition.hpp - the repetition penalty of CTRL (Keskar et al., arXiv 1909.05858, section 4.1) with the sign of the
// logit taken into account, as transformers has it: a token that stands in the text before has
//   x / penalty  in place of a logit x > 0,    x penalty  in place of x <= 0
// once, however often it stands there. Temperature and penalty may come in either order.
#pragma once
#include <span>
#include <vector>

#include "tensor/tensor.hpp"

namespace rgm {

// What stands in the texts of B rows, of V tokens that there are. It lies on the device and keeps its place when tokens
// are added, so that captured work may read it and add to it.
class Repetition {
 public:
  Repetition(double penalty, std::span<const std::span<const int32_t>> texts, int64_t V);
  void add(const Tensor& tokens);                // (B) I32: the next one of each row
  Tensor penalized(const Tensor& logits) const;  // (B, V)

 private:
  double penalty_;
  Tensor counts_;  // (B V): how often each token stands in each row
  Tensor rows_;    // (B) I32: where the counts of a row begin
  Tensor ones_;    // (B)
};

}  // namespace rgm
