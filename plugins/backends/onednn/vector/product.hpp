// product.hpp - a product of small matrices in one thread: a block of rows of c stays in registers, b comes as whole
// vectors and a as single numbers of any stride, so a transposed a costs nothing.
#pragma once
#include "simd.hpp"
#include "table.hpp"

namespace regimen::onednn::ONEDNN_ISA {

#if defined __AVX512F__
inline constexpr int kBlock = 12;  // rows at once: 12 x 2 sums of 32 registers
#else
inline constexpr int kBlock = 6;  // 6 x 2 sums of 16 registers
#endif

inline constexpr int kPanel = 2 * kLanes;  // columns of a packed matrix, which lie together

// R rows by N vectors of b, which may be bfloat16; with `left` > 0 the one vector has that many lanes. What lies Ahead
// elements further is fetched meanwhile.
template <int R, int N, bool Part, int Ahead = 0, class B>
ONEDNN_INLINE void product_block(const Product& p, const B* b, int64_t i, int64_t j, int64_t left) {
  Vec c[R][N] = {};
  const float* a = p.a + i * p.a_row;
  b += j;
  for (int64_t k = 0; k < p.K; ++k, a += p.a_column, b += p.b_row) {
    Vec row[N];
    ONEDNN_UNROLL
    for (int n = 0; n < N; ++n) {
      row[n] = Part ? load(b, left) : load(b + n * kLanes);
      if constexpr (Ahead > 0) __builtin_prefetch(b + Ahead + n * kLanes, 0, 2);
    }
    ONEDNN_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vec s = splat(a[r * p.a_row]);
      ONEDNN_UNROLL
      for (int n = 0; n < N; ++n) c[r][n] += s * row[n];
    }
  }
  ONEDNN_UNROLL
  for (int r = 0; r < R; ++r) {
    ONEDNN_UNROLL
    for (int n = 0; n < N; ++n) {
      float* out = p.c + (i + r) * p.c_row + j + n * kLanes;
      const Vec before = !p.add ? Vec{} : Part ? load(out, left) : load(out);
      const Vec after = p.add ? before + c[r][n] * p.alpha : c[r][n] * p.alpha;
      if (Part)
        store(out, after, left);
      else
        store(out, after);
    }
  }
}

template <int R>
ONEDNN_INLINE void product_rows(const Product& p, int64_t i) {
  int64_t j = 0;
  for (; j + 2 * kLanes <= p.N; j += 2 * kLanes) product_block<R, 2, false>(p, p.b, i, j, 0);
  if (j + kLanes <= p.N) {
    product_block<R, 1, false>(p, p.b, i, j, 0);
    j += kLanes;
  }
  if (j < p.N) product_block<R, 1, true>(p, p.b, i, j, p.N - j);
}

}  // namespace regimen::onednn::ONEDNN_ISA
