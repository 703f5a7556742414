// product.hpp - a (M, K) times b (K, N) in float64, a row of the result at a time: what matmul, linear and head_loss
// share. b is converted once; the inner loop runs along N, so it vectorises and every sum over K has a fixed order.
#pragma once
#include "numbers.hpp"

namespace regimen::reference {

// row(i, sums) for every row i of the product; b is row-major (K, N)
template <class F>
void product(const rgm_view& a, const std::vector<double>& b, int64_t N, F&& row) {
  constexpr int64_t block = 4;  // rows that use a row of b while it is near
  const int64_t M = a.shape[0], K = a.shape[1];
  std::vector<double> left(static_cast<size_t>(block * K)), sums(static_cast<size_t>(block * N));
  for (int64_t i = 0; i < M; i += block) {
    const int64_t rows = std::min(block, M - i);
    for (int64_t r = 0; r < rows; ++r) load(a, (i + r) * a.stride[0], K, a.stride[1], left.data() + r * K);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int64_t k = 0; k < K; ++k)
      for (int64_t r = 0; r < rows; ++r) {
        const double factor = left[static_cast<size_t>(r * K + k)];
        const double* from = b.data() + k * N;
        double* to = sums.data() + r * N;
        for (int64_t j = 0; j < N; ++j) to[j] += factor * from[j];
      }
    for (int64_t r = 0; r < rows; ++r) row(i + r, sums.data() + r * N);
  }
}

}  // namespace regimen::reference
