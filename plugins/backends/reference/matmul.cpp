// matmul.cpp - y (.., M, N) = alpha a (.., M, K) b (.., K, N) + beta y, sums in float64. Leading axes are batches and
// broadcast by stride 0.
#include "kernels.hpp"
#include "product.hpp"

namespace regimen::reference {
namespace {

rgm_view batches(rgm_view v) {
  v.rank -= 2;
  return v;
}
rgm_view at_batch(const rgm_view& v, int64_t offset) {
  rgm_view m = v;
  m.rank = 2;
  for (int32_t i = 0; i < 2; ++i) {
    m.shape[i] = v.shape[v.rank - 2 + i];
    m.stride[i] = v.stride[v.rank - 2 + i];
  }
  m.data = data<char>(v) + offset * static_cast<int64_t>(size_of(v.dtype));
  return m;
}

void multiply(double alpha, const rgm_view& a, const rgm_view& b, double beta, const rgm_view& y) {
  const int64_t N = y.shape[1];
  std::vector<double> before(static_cast<size_t>(N));
  product(a, matrix(b), N, [&](int64_t i, double* row) {
    if (beta != 0) load(y, i * y.stride[0], N, y.stride[1], before.data());
    for (int64_t j = 0; j < N; ++j) row[j] = alpha * row[j] + (beta != 0 ? beta * before[static_cast<size_t>(j)] : 0);
    store(y, i * y.stride[0], N, y.stride[1], row);
  });
}

}  // namespace

rgm_status matmul(rgm_queue*, double alpha, const rgm_view* a, const rgm_view* b, double beta, const rgm_view* y) {
  return guard([&] {
    require(y->rank >= 2 && a->rank == y->rank && b->rank == y->rank, "matmul: a, b and y have one rank, at least 2");
    const int32_t rows = y->rank - 2, columns = y->rank - 1;
    require(a->shape[rows] == y->shape[rows] && b->shape[columns] == y->shape[columns] &&
                a->shape[columns] == b->shape[rows],
            "matmul: the shapes do not fit (M, K) (K, N) -> (M, N)");
    const rgm_view of_a = batches(*a), of_b = batches(*b), of_y = batches(*y);
    Rows<3>({&of_a, &of_b, &of_y}).each([&](auto at, int64_t n, auto step) {
      for (int64_t i = 0; i < n; ++i)
        multiply(alpha, at_batch(*a, at[0] + i * step[0]), at_batch(*b, at[1] + i * step[1]), beta,
                 at_batch(*y, at[2] + i * step[2]));
    });
  });
}

}  // namespace regimen::reference
