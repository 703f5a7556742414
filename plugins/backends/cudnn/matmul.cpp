// matmul.cpp - products over views of any strides: batches are merged into one strided call where they can be, and what
// cuBLASLt cannot read as it lies is copied first.
#include "kernels.hpp"
#include "products.hpp"

namespace regimen::cudnn {
namespace {

rgm_view dense_like(const rgm_view& v, void* memory) {
  rgm_view out = v;
  out.data = memory;
  for (int64_t i = v.rank, step = 1; i-- > 0; step *= v.shape[i]) out.stride[i] = step;
  return out;
}
rgm_view transposed(rgm_view v) {
  std::swap(v.shape[v.rank - 1], v.shape[v.rank - 2]);
  std::swap(v.stride[v.rank - 1], v.stride[v.rank - 2]);
  return v;
}
rgm_view last_two(const rgm_view& v) {
  rgm_view out = v;
  out.rank = 2;
  for (int i = 0; i < 2; ++i) out.shape[i] = v.shape[v.rank - 2 + i], out.stride[i] = v.stride[v.rank - 2 + i];
  return out;
}
rgm_view dense_copy(rgm_queue* q, const rgm_view& v, Scratch::Slot slot) {
  const rgm_view dense = dense_like(v, q->scratch.bytes(slot, static_cast<size_t>(count(v)) * size_of(v.dtype)));
  check(copy(q, &v, &dense));
  return dense;
}

bool is_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

// Batch axes of one shape, merged into one strided axis where all three allow it; the rest is looped over.
void batched(rgm_queue* q, double alpha, const rgm_view& a, const rgm_view& b, double beta, const rgm_view& y) {
  const int32_t axes = y.rank - 2;
  int64_t n = 1, step[3] = {0, 0, 0};
  int32_t rest = axes;  // axes in front that are looped over
  const rgm_view* views[] = {&a, &b, &y};
  while (rest > 0) {
    const int32_t i = rest - 1;
    bool merges = true;
    for (int k = 0; k < 3; ++k) merges = merges && (n == 1 || y.shape[i] == 1 || views[k]->stride[i] == step[k] * n);
    if (!merges) break;
    if (y.shape[i] != 1 && n == 1)
      for (int k = 0; k < 3; ++k) step[k] = views[k]->stride[i];
    n *= y.shape[i];
    --rest;
  }
  int64_t loops = 1;
  for (int32_t i = 0; i < rest; ++i) loops *= y.shape[i];
  Product p;
  p.M = y.shape[axes], p.N = y.shape[axes + 1], p.K = a.shape[axes + 1], p.batches = n;
  p.alpha = static_cast<float>(alpha), p.beta = static_cast<float>(beta);
  p.a = matrix_of(last_two(a)), p.b = matrix_of(last_two(b)), p.y = matrix_of(last_two(y));
  p.a.batch = step[0], p.b.batch = step[1], p.y.batch = step[2];
  const Product first = p;
  for (int64_t l = 0; l < loops; ++l) {
    int64_t at[3] = {0, 0, 0}, index = l;
    for (int32_t i = rest; i-- > 0; index /= y.shape[i])
      for (int k = 0; k < 3; ++k) at[k] += index % y.shape[i] * views[k]->stride[i];
    const auto moved = [](void* p, int64_t n, rgm_dtype d) {
      return static_cast<char*>(p) + n * static_cast<int64_t>(size_of(d));
    };
    p.a.data = moved(first.a.data, at[0], a.dtype);
    p.b.data = moved(first.b.data, at[1], b.dtype);
    p.y.data = moved(first.y.data, at[2], y.dtype);
    p.c = p.y;
    multiply(q, p);
  }
}

}  // namespace

rgm_status matmul(rgm_queue* q, double alpha, const rgm_view* a, const rgm_view* b, double beta, const rgm_view* y) {
  return kernel(q, "matmul", [&] {
    require(y->rank >= 2 && a->rank == y->rank && b->rank == y->rank, "matmul: a, b and y have one rank, at least 2");
    const int32_t r = y->rank;
    require(
        a->shape[r - 2] == y->shape[r - 2] && b->shape[r - 1] == y->shape[r - 1] && a->shape[r - 1] == b->shape[r - 2],
        "matmul: a (.., M, K) b (.., K, N) is y (.., M, N)");
    for (int32_t i = 0; i < r - 2; ++i)
      require(a->shape[i] == y->shape[i] && b->shape[i] == y->shape[i], "matmul: batches of different sizes");
    const bool floats = a->dtype == RGM_F32 && b->dtype == RGM_F32 && y->dtype == RGM_F32;
    const bool halves = a->dtype == RGM_BF16 && b->dtype == RGM_BF16 && (y->dtype == RGM_F32 || y->dtype == RGM_BF16);
    if (!floats && !halves) unsupported("matmul: float32, or bfloat16 by bfloat16");
    if (count(*y) == 0) return;
    if (a->shape[r - 1] == 0) {
      if (beta == 0) check(fill(q, 0, y));
      return;
    }
    const rgm_view left = is_operand(*a) ? *a : dense_copy(q, *a, Scratch::kCopyA);
    const rgm_view right = is_operand(*b) ? *b : dense_copy(q, *b, Scratch::kCopyB);
    if (has_rows(*y)) return batched(q, alpha, left, right, beta, *y);
    if (is_operand(*y)) return batched(q, alpha, transposed(right), transposed(left), beta, transposed(*y));
    const rgm_view whole =
        dense_like(*y, q->scratch.bytes(Scratch::kCopyY, static_cast<size_t>(count(*y)) * size_of(y->dtype)));
    if (beta != 0) check(copy(q, y, &whole));
    batched(q, alpha, left, right, beta, whole);
    check(copy(q, &whole, y));
  });
}

// The product with bias, and a residual as its addend or GELU behind it; other activations are a pass of their own.
rgm_status linear(rgm_queue* q, const rgm_linear* args) {
  // Asked for each product of a quantized weight, which is too often for an exception.
  if (args->features & RGM_LINEAR_QUANTIZED) return host->fail(RGM_UNSUPPORTED, str("cudnn: linear reads values"));
  return kernel(q, "linear", [&] {
    const rgm_linear& l = *args;
    accept_features(l.features,
                    RGM_LINEAR_BIAS | RGM_LINEAR_RESIDUAL | RGM_LINEAR_ACTIVATION | RGM_LINEAR_AUX | RGM_LINEAR_ADD,
                    "linear");
    const rgm_view &x = *l.x, &w = *l.weight, &y = *l.y;
    require(x.rank == 2 && w.rank == 2 && y.rank == 2 && x.shape[1] == w.shape[1] && y.shape[0] == x.shape[0] &&
                y.shape[1] == w.shape[0],
            "linear: x (M, in), weight (out, in), y (M, out)");
    if (x.dtype != w.dtype || (x.dtype != RGM_F32 && x.dtype != RGM_BF16) || (y.dtype != RGM_F32 && y.dtype != x.dtype))
      unsupported("linear: x and weight in float32 or bfloat16");
    const bool residual = l.features & RGM_LINEAR_RESIDUAL, add = l.features & RGM_LINEAR_ADD,
               activates = l.features & RGM_LINEAR_ACTIVATION, keeps = l.features & RGM_LINEAR_AUX;
    if (count(y) == 0) return;
    if (x.shape[1] == 0) unsupported("linear: no channels");

    // z = x w^T + bias [+ addend] goes to aux, to y, or to scratch memory where y is still needed.
    const bool bare = !activates && !keeps && !(residual && add);
    const rgm_view* addend = bare ? (add ? &y : residual ? l.residual : nullptr) : nullptr;
    const bool in_y = has_rows(y) && (bare || (!residual && !add && !keeps));
    const bool in_aux = !in_y && keeps && has_rows(*l.aux) && l.aux->dtype == y.dtype;
    const rgm_view z =
        in_y     ? y
        : in_aux ? *l.aux
                 : dense_like(y, q->scratch.bytes(Scratch::kCopyY, static_cast<size_t>(count(y)) * size_of(y.dtype)));
    Product p;
    p.M = y.shape[0], p.N = y.shape[1], p.K = x.shape[1];
    p.a = operand(q, x, Scratch::kCopyA);
    p.b = operand(q, transposed(w), Scratch::kCopyB);
    p.y = matrix_of(z);
    if (l.features & RGM_LINEAR_BIAS) {
      rgm_view bias = dense_like(*l.bias, nullptr);
      bias.dtype = z.dtype;
      if (l.bias->dtype == z.dtype && is_contiguous(*l.bias) && is_aligned(l.bias->data)) {
        p.bias = l.bias->data;
      } else {
        bias.data = q->scratch.bytes(Scratch::kBias, static_cast<size_t>(count(bias)) * size_of(bias.dtype));
        check(copy(q, l.bias, &bias));
        p.bias = bias.data;
      }
    }
    // GELU in the product itself, from a multiple of 8 channels on.
    const bool whole_aux = !keeps || (in_aux && l.aux->stride[0] == y.stride[0] && is_aligned(l.aux->data));
    if (activates && l.activation == RGM_GELU_TANH && !residual && !add && p.bias && y.dtype == RGM_BF16 &&
        has_rows(y) && whole_aux && y.shape[1] % 8 == 0 && y.stride[0] % 8 == 0 && is_aligned(y.data)) {
      Product with_gelu = p;
      with_gelu.y = matrix_of(y);
      with_gelu.gelu = true;
      with_gelu.aux = keeps ? l.aux->data : nullptr;
      if (try_multiply(q, with_gelu)) return;
    }
    const bool fused = addend && addend->dtype == z.dtype && has_rows(*addend) && in_y;
    if (fused) {
      p.c = matrix_of(*addend);
      p.beta = 1;
    }
    multiply(q, p);
    if (keeps && !in_aux) check(copy(q, &z, l.aux));
    const rgm_view* now = &z;
    rgm_view out = y;
    if (activates) {
      // Over z where y still holds an addend.
      const bool waits = residual || add;
      rgm_view place =
          waits && in_aux
              ? dense_like(y, q->scratch.bytes(Scratch::kCopyY, static_cast<size_t>(count(y)) * size_of(y.dtype)))
              : z;
      out = waits ? place : y;
      check(unary(q, l.activation, now, &out));
      now = &out;
    }
    if (!fused && add) check(binary(q, RGM_ADD, now, &y, &y)), now = &y;
    if (!fused && residual) check(binary(q, RGM_ADD, now, l.residual, &y)), now = &y;
    if (now->data != y.data) check(copy(q, now, &y));
  });
}

}  // namespace regimen::cudnn
