// product.hpp - a (M, K) times b (K, N) in float64, a row of the result at a time: what matmul, linear and head_loss
// share. b is converted once; the inner loop runs along N, so it vectorises and every sum over K has a fixed order.
#pragma once
#include "numbers.hpp"

namespace regimen::reference {

// to (n) += factor * from (n): nearly all that this backend does, so sanitizers, with which it takes eight times as
// long, leave it to what its caller asks of both lengths.
#ifdef REGIMEN_SANITIZED
[[gnu::noinline]] __attribute__((no_sanitize("address", "undefined")))
#endif
inline void
add_multiple(double factor, const double* from, double* to, int64_t n) {
  for (int64_t j = 0; j < n; ++j) to[j] += factor * from[j];
}

// row(i, sums) for every row i of the product; b is row-major (K, N)
template <class F>
void product(const rgm_view& a, const std::vector<double>& b, int64_t N, F&& row) {
  constexpr int64_t block = 4;  // rows that use a row of b while it is near
  const int64_t M = a.shape[0], K = a.shape[1];
  require(b.size() >= static_cast<size_t>(K * N), "product: b is (K, N)");
  std::vector<double> left(static_cast<size_t>(block * K)), sums(static_cast<size_t>(block * N));
  for (int64_t i = 0; i < M; i += block) {
    const int64_t rows = std::min(block, M - i);
    for (int64_t r = 0; r < rows; ++r) load(a, (i + r) * a.stride[0], K, a.stride[1], left.data() + r * K);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int64_t k = 0; k < K; ++k)
      for (int64_t r = 0; r < rows; ++r) {
        const double factor = left[static_cast<size_t>(r * K + k)];
        add_multiple(factor, b.data() + k * N, sums.data() + r * N, N);
      }
    for (int64_t r = 0; r < rows; ++r) row(i + r, sums.data() + r * N);
  }
}

}  // namespace regimen::reference
