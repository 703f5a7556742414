// collect.hpp - what gradient rules with products share: adding in place to what an input has collected so far.
#pragma once
#include "tensor/support.hpp"

namespace rgm::gradients {

// write(g, beta) adds to the gradient of input i in place: g = new + beta g. A fresh one has the input's layout. g is
// float32, or, for an activation in bfloat16 and if write `takes_bf16`, that.
template <class F>
void accumulate(Backward& b, size_t i, bool takes_bf16, F&& write) {
  if (!b.needs(i)) return;
  const rgm_dtype dtype = b.dtype(i);
  if (dtype != RGM_F32 && !takes_bf16) {
    const Tensor own = empty_like(b.like(i), RGM_F32);
    write(own.view(), 0.0);
    return b.add(i, own);
  }
  Tensor g = b.take(i);
  const double beta = g ? 1 : 0;
  if (!g || !writable(g, dtype)) {
    const Tensor own = empty_like(b.like(i), dtype);
    if (g) kernel::copy(g.view(), own.view());
    g = own;
  }
  write(g.view(), beta);
  b.put(i, std::move(g));
}
// For kernels that only add: what input i has collected so far, in float32, which may be written over; zeros where that
// is nothing. It goes back with put().
inline Tensor collected(Backward& b, size_t i) {
  Tensor g = b.take(i);
  if (!g) return zeros_like(b.like(i));
  if (writable(g)) return g;
  Tensor own = empty_like(b.like(i), RGM_F32);
  kernel::copy(g.view(), own.view());
  return own;
}
// dy as the products of a backward pass take it: what ran in bfloat16 forward does so backward.
inline Tensor matching(const Tensor& dy, bool native) { return native ? ops::cast(dy, RGM_BF16) : dy; }

}  // namespace rgm::gradients
