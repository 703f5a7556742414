// head.hpp - log-probabilities under a language model's head, their entropy and gradients, never with whole logits.
#pragma once
#include "tensor/ops.hpp"

namespace rgm {

struct HeadLoss {
  Tensor x, w, targets;  // (M, C), (V, C), (M) I32; a negative target leaves its row out
  ops::HeadOptions options = {};
  Tensor logprobs = {}, entropy = {};         // (M), written, or empty
  Tensor weights = {}, entropy_weights = {};  // (M): the gradient of sum(-weights logprobs + entropy_weights entropy)
  Tensor dx = {}, dw = {};                    // (M, C) is written, (V, C) is added to; or empty
  rgm_dtype dx_dtype() const;
};
// By the kernel, or in chunks of rows.
void head_loss(const HeadLoss& task);
void composed_head_loss(const HeadLoss& task);

// One chunk of logits: z = scale cap(x w^T) of some rows, and the way back.
struct HeadChunk {
  Tensor z, slope;  // slope: dz / d(x w^T), empty for `scale` alone
  double scale;
  HeadChunk(const Tensor& x, const Tensor& w, const ops::HeadOptions& options);
  // dx = dz w, dw += dz^T x, for dz the gradient of z; w as products with float32 take it
  void back(Tensor dz, const Tensor& x, const Tensor& w, const Tensor& dx, const Tensor& dw) const;
};
// Rows that are worked on at once.
int64_t head_rows(int64_t V);

}  // namespace rgm
