// single_row.cpp - the product of one row and a matrix, in the order in which the matrix lies in memory: it is read
// once, and that is all the time it takes.
#include "kernels.hpp"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
constexpr int kRows = 8;  // streams that are read side by side

template <int R, bool Weighted>
ONEDNN_INLINE void add_rows(const float* weights, const float* x, int64_t x_row, int64_t n, float* y) {
  Vec w[R];
  ONEDNN_UNROLL
  for (int r = 0; r < R; ++r) w[r] = Weighted ? splat(weights[r]) : Vec{};
  const auto lanes = [&](int64_t i, auto get, auto put) {
    Vec s = get(y + i);
    ONEDNN_UNROLL
    for (int r = 0; r < R; ++r) __builtin_prefetch(x + (r + R) * x_row + i);
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
void add_all(const float* weights, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y) {
  constexpr int64_t kColumns = 2048;  // of y, which stay in the first cache
  for (int64_t c = 0; c < n; c += kColumns) {
    const int64_t width = n - c < kColumns ? n - c : kColumns;
    int64_t r = 0;
    for (; r + kRows <= rows; r += kRows)
      add_rows<kRows, Weighted>(weights + r, x + r * x_row + c, x_row, width, y + c);
    for (; r < rows; ++r) add_rows<1, Weighted>(weights + r, x + r * x_row + c, x_row, width, y + c);
  }
}

template <int R>
ONEDNN_INLINE void dots(const float* a, const float* x, int64_t x_row, int64_t n, float* y) {
  Vec s[R][2] = {};
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const Vec first = load(a + i), second = load(a + i + kLanes);
    ONEDNN_UNROLL
    for (int r = 0; r < R; ++r) {
      __builtin_prefetch(x + (r + R) * x_row + i);
      __builtin_prefetch(x + (r + R) * x_row + i + 16);
      s[r][0] += first * load(x + r * x_row + i);
      s[r][1] += second * load(x + r * x_row + i + kLanes);
    }
  }
  for (; i < n; i += kLanes) {
    const int64_t left = n - i;
    ONEDNN_UNROLL
    for (int r = 0; r < R; ++r)
      s[r][0] +=
          left >= kLanes ? load(a + i) * load(x + r * x_row + i) : load(a + i, left) * load(x + r * x_row + i, left);
  }
  ONEDNN_UNROLL
  for (int r = 0; r < R; ++r) y[r] = sum(s[r][0] + s[r][1]);
}
}  // namespace

void weighted_rows(const float* weights, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y) {
  if (weights)
    add_all<true>(weights, x, x_row, rows, n, y);
  else
    add_all<false>(x, x, x_row, rows, n, y);
}

void dot_rows(const float* a, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) dots<4>(a, x + r * x_row, x_row, n, y + r);
  for (; r < rows; ++r) dots<1>(a, x + r * x_row, x_row, n, y + r);
}

}  // namespace regimen::onednn::ONEDNN_ISA
