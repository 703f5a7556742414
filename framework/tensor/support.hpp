// support.hpp - what operations and gradient rules share: float32 forms, memory that may be written over, rows.
#pragma once
#include "tensor/kernel.hpp"
#include "tensor/ops.hpp"
#include "tensor/views.hpp"

namespace rgm {

// x as float32: x itself, or a cast that is on the tape.
inline Tensor as_float(const Tensor& x) { return x.dtype() == RGM_F32 ? x : ops::cast(x, RGM_F32); }

// Both are bfloat16 and the device multiplies that as it is.
inline bool native_bf16(rgm_dtype a, rgm_dtype b) {
  return a == RGM_BF16 && b == RGM_BF16 && (current_device().info().dtypes >> RGM_BF16 & 1);
}
inline bool native_bf16(const Tensor& a, const Tensor& b) { return native_bf16(a.dtype(), b.dtype()); }

// As a product reads it: a frozen one in bfloat16 goes as it is beside float32, any other becomes float32.
inline Tensor as_weight(const Tensor& w) { return w.dtype() == RGM_BF16 && !w.needs_gradient() ? w : as_float(w); }

// Nobody else will miss these values and every element has memory of its own.
inline bool writable(const Tensor& x, rgm_dtype dtype = RGM_F32) {
  return x.sole() && x.dtype() == dtype && !views::repeats(x.view());
}

// x seen as `v`. Takes the handle over, so that the result is the only one of its storage if x was.
inline Tensor seen_as(Tensor x, const rgm_view& v) {
  if (x.get()->references == 1 && !x.needs_gradient() && !x.get()->gradient) {
    x.get()->view = v;
    return x;
  }
  return alias(x, v);
}

// x (.., C) as (M, C): the same memory, or a copy. Not on the tape.
inline Tensor rows_of(const Tensor& x) {
  if (const auto v = views::rows(x.view())) return alias(x, *v);
  const Tensor dense = empty(x.shape(), x.dtype());
  kernel::copy(x.view(), dense.view());
  return alias(dense, *views::rows(dense.view()));
}

inline Tensor dense_of(const Tensor& x) {  // not on the tape
  if (is_contiguous(x.view())) return x;
  Tensor dense = empty(x.shape(), x.dtype());
  kernel::copy(x.view(), dense.view());
  return dense;
}

inline Tensor zeros(const Shape& shape) { return ops::full(shape, 0); }
inline Tensor zeros_like(const rgm_view& v) {
  Tensor out = empty_like(v, RGM_F32);
  kernel::fill(0, out.view());
  return out;
}

// x s, over x where that is possible.
inline Tensor scaled(Tensor x, double s) {
  if (s == 1) return x;
  const Tensor factor = ops::full({}, s);
  if (!writable(x)) return ops::binary(RGM_MUL, x, factor);
  kernel::binary(RGM_MUL, x.view(), broadcast_to(factor.view(), x.shape()), x.view());
  return x;
}

// What two types have in common: themselves if they are one, else float32, or int32 for two kinds of integers.
inline rgm_dtype common_type(rgm_dtype a, rgm_dtype b) {
  if (a == b) return a;
  return is_float(a) || is_float(b) ? RGM_F32 : RGM_I32;
}

// 0 <= axis < rank, counted from the end when negative.
inline int32_t axis_of(int32_t axis, int32_t rank, const char* what) {
  const int32_t out = axis < 0 ? axis + rank : axis;
  require(out >= 0 && out < rank, "{}: axis {} of a tensor with {} axes", what, axis, rank);
  return out;
}

// y = alpha a b + beta y over the last two axes. Batch axes of a and b broadcast to those of y; where b is one matrix
// for all of them, they become rows of one product.
void product(double alpha, const rgm_view& a, const rgm_view& b, double beta, const rgm_view& y);

// dx of a unary operation at x; written over dy where that is possible.
Tensor unary_gradient(int32_t op, const Tensor& x, Tensor dy);

// A draw of the numbers that `key` (6) I32 names.
Tensor random_of(const Shape& shape, int32_t distribution, const Tensor& key);
inline Tensor random_key() {
  const auto words = next_random_key();
  return from_host(std::span<const int32_t>(words), {6});
}

}  // namespace rgm
