// composed_reduction.cpp - softmax, running sums, the largest elements and norms from reductions and products.
#include <cmath>

#include "tensor/composed.hpp"
#include "tensor/support.hpp"

namespace rgm::composed {

using namespace ops;

Tensor softmax(const Tensor& x, int32_t axis) {
  const Tensor e = exp(x - detach(reduce(RGM_MAXIMUM, 1U << axis, x, true)));
  return e / reduce(RGM_SUM, 1U << axis, e, true);
}

Tensor softmax_gradient(int32_t axis, const Tensor& y, const Tensor& dy) {
  return y * (dy - reduce(RGM_SUM, 1U << axis, y * dy, true));
}

// A product with the matrix that has ones where a row is not above a column: y_j = sum of x_i, i <= j.
Tensor cumsum(const Tensor& x, int32_t axis) {
  const int64_t n = x.size(axis);
  const Tensor numbers = iota(n);
  const Tensor ones = cast(binary(RGM_LESS_EQUAL, reshape(numbers, {n, 1}), numbers), RGM_F32);
  std::array<int32_t, 8> order{0, 1, 2, 3, 4, 5, 6, 7};
  std::swap(order[static_cast<size_t>(axis)], order[static_cast<size_t>(x.rank() - 1)]);
  const std::span<const int32_t> axes(order.data(), static_cast<size_t>(x.rank()));
  const Tensor rows = permute(x, axes);
  const Tensor sums = matmul(reshape(rows, {-1, n}), false, ones, false);
  return contiguous(permute(reshape(sums, rows.shape()), axes));
}

// k times the maximum, of equal ones the first. `taken` marks what was chosen, as minus infinity may be an element.
std::pair<Tensor, Tensor> top_k(const Tensor& x, int64_t k) {
  const uint32_t last = 1U << (x.rank() - 1);
  const Tensor places = iota(x.size(-1)), lowest = full({}, -INFINITY);
  Tensor rest = x, taken = full(x.shape(), 0);
  std::vector<Tensor> values, indices;
  for (int64_t i = 0; i < k; ++i) {
    const Tensor largest = reduce(RGM_MAXIMUM, last, rest, true);
    const Tensor candidate = cast(binary(RGM_EQUAL, rest, largest), RGM_F32) - taken;
    // Minus the place, so that the maximum is the first of them.
    const Tensor first =
        reduce(RGM_MAXIMUM, last,
               select(binary(RGM_LESS, full({}, 0), candidate), affine(cast(places, RGM_F32), -1, 0), lowest), true);
    const Tensor index = cast(-first, RGM_I32), here = binary(RGM_EQUAL, places, index);
    values.push_back(largest);
    indices.push_back(index);
    rest = select(here, lowest, rest);
    taken = select(here, full({}, 1), taken);
  }
  Shape none = x.shape();
  none[none.rank() - 1] = 0;
  if (k == 0) return {empty(none), empty(none, RGM_I32)};
  return {concat(values, -1), concat(indices, -1)};
}

Tensor norm(const Tensor& x, const Tensor& w, const Tensor& b, double epsilon, bool centred) {
  const uint32_t last = 1U << (x.rank() - 1);
  const Tensor centre = centred ? x - reduce(RGM_MEAN, last, x, true) : x;
  const Tensor variance = reduce(RGM_MEAN, last, unary(RGM_SQUARE, centre), true);
  const Tensor y = centre * unary(RGM_RSQRT, variance + epsilon) * w;
  return b ? y + b : y;
}

}  // namespace rgm::composed
