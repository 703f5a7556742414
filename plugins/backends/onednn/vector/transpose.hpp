// transpose.hpp - a square of vectors is transposed in registers: in log2(kLanes) rounds, rows i and i + s exchange
// their off-diagonal blocks of s lanes (Eklundh, 1972).
#pragma once
#include "simd.hpp"

namespace regimen::onednn::ONEDNN_ISA {

template <int S, int... J>
ONEDNN_INLINE void exchange(Vec& a, Vec& b, LaneList<J...>) {
  const Vec upper = __builtin_shufflevector(a, b, (J & S ? kLanes + J - S : J)...);
  b = __builtin_shufflevector(a, b, (J & S ? kLanes + J : J + S)...);
  a = upper;
}

template <int S>
ONEDNN_INLINE void transpose_rounds(Vec (&rows)[kLanes]) {
  if constexpr (S > 0) {
    ONEDNN_UNROLL
    for (int i = 0; i < kLanes; ++i)
      if (!(i & S)) exchange<S>(rows[i], rows[i + S], Lanes<kLanes>::List{});
    transpose_rounds<S / 2>(rows);
  }
}

// y (columns, rows) = x (rows, columns) transposed, for up to kLanes rows; whole vectors of y are written, so that what
// follows `rows` becomes 0.
ONEDNN_INLINE void transpose_strip(const float* x, int64_t x_row, int64_t rows, int64_t columns, float* y,
                                   int64_t y_row) {
  int64_t j = 0;
  for (; j < columns; j += kLanes) {
    const int64_t left = columns - j;
    Vec block[kLanes];
    if (rows == kLanes && left >= kLanes) {
      ONEDNN_UNROLL
      for (int i = 0; i < kLanes; ++i) block[i] = load(x + i * x_row + j);
    } else {
      for (int i = 0; i < kLanes; ++i) {
        if (i >= rows) {
          block[i] = Vec{};
        } else {
          block[i] = left >= kLanes ? load(x + i * x_row + j) : load(x + i * x_row + j, left);
        }
      }
    }
    transpose_rounds<kLanes / 2>(block);
    for (int k = 0; k < kLanes && k < left; ++k) store(y + (j + k) * y_row, block[k]);
  }
}

}  // namespace regimen::onednn::ONEDNN_ISA
