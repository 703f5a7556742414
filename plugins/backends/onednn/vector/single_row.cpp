// single_row.cpp - the product of one row and a matrix, in the order in which the matrix lies in memory: it is read
// once, and that is all the time it takes.
#include "kernels.hpp"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
constexpr int kRows = 8;  // streams that are read side by side

// Weighted rows are a matrix in memory, others mostly lie in a cache.
template <int R, bool Weighted>
ONEDNN_INLINE void add_rows(const float* weights, const float* x, int64_t x_row, int64_t n, float* y) {
  Vec w[R];
  ONEDNN_UNROLL
  for (int r = 0; r < R; ++r) w[r] = Weighted ? splat(weights[r]) : Vec{};
  const auto lanes = [&](int64_t i, auto get, auto put) {
    Vec s = get(y + i);
    ONEDNN_UNROLL
    for (int r = 0; r < R && Weighted; ++r) __builtin_prefetch(x + (r + R) * x_row + i);
    ONEDNN_UNROLL
    for (int r = 0; r < R; ++r) s += Weighted ? w[r] * get(x + r * x_row + i) : get(x + r * x_row + i);
    put(y + i, s);
  };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    lanes(
        i, [](const float* p) { return load(p); }, [](float* p, Vec v) { store(p, v); });
  const int64_t left = n - i;
  if (left > 0)
    lanes(
        i, [left](const float* p) { return load(p, left); }, [left](float* p, Vec v) { store(p, v, left); });
}

template <bool Weighted>
void add_chain(const float* weights, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y) {
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) add_rows<kRows, Weighted>(weights + r, x + r * x_row, x_row, n, y);
  for (; r < rows; ++r) add_rows<1, Weighted>(weights + r, x + r * x_row, x_row, n, y);
}

// Behind the first chain each has sums of its own, see kChain.
template <bool Weighted>
void add_all(const float* weights, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y) {
  constexpr int64_t kColumns = 4096;  // of y, which stay in the first cache
  float sums[kColumns];
  for (int64_t c = 0; c < n; c += kColumns) {
    const int64_t width = n - c < kColumns ? n - c : kColumns;
    add_chain<Weighted>(weights, x + c, x_row, rows < kChain ? rows : kChain, width, y + c);
    for (int64_t r = kChain; r < rows; r += kChain) {
      for (int64_t i = 0; i < width; ++i) sums[i] = 0;
      add_chain<Weighted>(weights + r, x + r * x_row + c, x_row, rows - r < kChain ? rows - r : kChain, width, sums);
      add_rows<1, false>(sums, sums, 0, width, y + c);
    }
  }
}

// One after the other: rows lie behind each other, so that memory is read as one stream.
ONEDNN_INLINE float dot(const float* a, const float* x, const float* next, int64_t n) {
  Vec s[4] = {};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    ONEDNN_UNROLL
    for (int k = 0; k < 4; ++k) {
      __builtin_prefetch(next + i + k * kLanes);
      s[k] += load(a + i + k * kLanes) * load(x + i + k * kLanes);
    }
  }
  for (; i + kLanes <= n; i += kLanes) s[0] += load(a + i) * load(x + i);
  if (i < n) s[1] += load(a + i, n - i) * load(x + i, n - i);
  return sum((s[0] + s[1]) + (s[2] + s[3]));
}
}  // namespace

void weighted_rows(const float* weights, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y) {
  if (weights)
    add_all<true>(weights, x, x_row, rows, n, y);
  else
    add_all<false>(x, x, x_row, rows, n, y);
}

void dot_rows(const float* a, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += x_row) y[r] = dot(a, x, x + x_row, n);
}

}  // namespace regimen::onednn::ONEDNN_ISA
