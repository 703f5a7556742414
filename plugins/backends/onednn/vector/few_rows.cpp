// few_rows.cpp - the product of a few rows and a large matrix, which is read once, in the order in which it lies in
// memory; it may be bfloat16 and becomes float32 in registers. What decoding several sequences side by side does.
#include "kernels.hpp"
#include "product.hpp"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
constexpr int64_t kDepth = 64;  // rows of b, of which two vectors stay in the first cache while all rows of a pass
constexpr int64_t kPanelDepth = 4096;  // rows of a panel, which stay in the second cache
constexpr int kPanelAhead = 32;        // rows

// c (M, N vectors) [+]= a (M, K) b (K, N vectors), K up to a depth; rows of a lie side by side
template <int N, bool Part, int Ahead, class B>
ONEDNN_INLINE void all_rows(const FewRows& p, int64_t k, int64_t K, const B* b, int64_t j) {
  const Product part{p.M, p.N, K, p.a + k * p.a_column, p.a_row, p.a_column, nullptr, p.b_row, p.c, p.c_row, 1, k > 0};
  int64_t i = 0;
  const auto rows = [&]<int R>() {
    product_block<R, N, Part, Ahead>(part, b, i, j, Part ? p.N - j : 0);
    i += R;
  };
  if constexpr (kBlock == 12) {
    while (p.M - i >= 12 && p.M - i != 16) rows.template operator()<12>();
    while (p.M - i >= 8) rows.template operator()<8>();
  }
  while (p.M - i >= 4) rows.template operator()<4>();
  if (p.M - i >= 2) rows.template operator()<2>();
  if (p.M - i == 1) rows.template operator()<1>();
}

// Behind two vectors the next ones of the row are fetched, or in a panel, which is as wide, those of later rows.
template <int64_t Depth, int Ahead, class B>
void by_rows(const FewRows& p, const B* b) {
  for (int64_t k = 0; k < p.K; k += Depth, b += Depth * p.b_row) {
    const int64_t K = p.K - k < Depth ? p.K - k : Depth;
    int64_t j = 0;
    for (; j + 2 * kLanes <= p.N; j += 2 * kLanes) all_rows<2, false, Ahead>(p, k, K, b, j);
    for (; j + kLanes <= p.N; j += kLanes) all_rows<1, false, Ahead>(p, k, K, b, j);
    if (j < p.N) all_rows<1, true, Ahead>(p, k, K, b, j);
  }
}

template <class B>
void by_panels(FewRows p, const B* b) {
  const int64_t end = p.N;
  p.b_row = kPanel;
  for (int64_t j = 0; j < end; j += kPanel, b += p.K * kPanel, p.c += kPanel) {
    p.N = end - j < kPanel ? end - j : kPanel;
    by_rows<kPanelDepth, kPanelAhead * kPanel>(p, b);
  }
}

// b (N, K): R rows of a by J of b, all of K
template <int R, int J, class B>
ONEDNN_INLINE void dots(const FewRows& p, const float* a, const B* b, float* c) {
  Vec sums[R][J] = {};
  const auto step = [&](auto get, auto ahead) {
    Vec column[J];
    ONEDNN_UNROLL
    for (int j = 0; j < J; ++j) {
      column[j] = get(b + j * p.b_row);
      if constexpr (R <= 2) ahead(b + (J + j) * p.b_row);
    }
    ONEDNN_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vec row = get(a + r * p.a_row);
      ONEDNN_UNROLL
      for (int j = 0; j < J; ++j) sums[r][j] += row * column[j];
    }
  };
  int64_t k = 0;
  for (; k + kLanes <= p.K; k += kLanes)
    step([k](const auto* x) { return load(x + k); }, [k](const auto* x) { __builtin_prefetch(x + k); });
  if (const int64_t left = p.K - k; left > 0)
    step([k, left](const auto* x) { return load(x + k, left); }, [k](const auto* x) { __builtin_prefetch(x + k); });
  ONEDNN_UNROLL
  for (int r = 0; r < R; ++r) {
    ONEDNN_UNROLL
    for (int j = 0; j < J; ++j) c[r * p.c_row + j] = sum(sums[r][j]);
  }
}

template <int R, class B>
ONEDNN_INLINE void dots_of(const FewRows& p, int64_t i, int64_t first, int64_t last, const B* b) {
  const float* a = p.a + i * p.a_row;
  float* c = p.c + i * p.c_row;
  int64_t j = first;
  for (; j + 4 <= last; j += 4) dots<R, 4>(p, a, b + j * p.b_row, c + j);
  for (; j < last; ++j) dots<R, 1>(p, a, b + j * p.b_row, c + j);
}

// Rows of b are columns of the product: some of them stay in the second cache, rows of a in the first.
template <class B>
void by_columns(const FewRows& p, const B* b) {
  const int64_t at_once = p.K > 16384 ? 4 : p.K < 1024 ? 64 : 65536 / p.K / 4 * 4;
  for (int64_t j = 0; j < p.N; j += at_once) {
    const int64_t end = p.N - j < at_once ? p.N : j + at_once;
    int64_t i = 0;
    const auto rows = [&]<int R>() {
      dots_of<R>(p, i, j, end, b);
      i += R;
    };
    if constexpr (kBlock == 12) {
      while (p.M - i >= 6 && p.M - i != 8) rows.template operator()<6>();
      while (p.M - i >= 4) rows.template operator()<4>();
    }
    while (p.M - i >= 2) rows.template operator()<2>();
    if (p.M - i == 1) rows.template operator()<1>();
  }
}

template <class B>
void run(const FewRows& p, const B* b) {
  if (p.transposed)
    by_columns(p, b);
  else
    by_rows<kDepth, 8 * kLanes>(p, b);
}
}  // namespace

void widen(const uint16_t* x, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, load(x + i));
  if (i < n) store(y + i, load(x + i, n - i), n - i);
}

void few_rows(const FewRows& p) {
  if (p.narrow)
    run(p, static_cast<const uint16_t*>(p.b));
  else
    run(p, static_cast<const float*>(p.b));
}

void panels(const FewRows& p) {
  if (p.narrow)
    by_panels(p, static_cast<const uint16_t*>(p.b));
  else
    by_panels(p, static_cast<const float*>(p.b));
}

}  // namespace regimen::onednn::ONEDNN_ISA
