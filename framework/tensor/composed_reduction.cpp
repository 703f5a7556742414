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

// Sums of 2, 4, 8, ... neighbours, each from two of the half before: log n steps, and what comes later, infinity too,
// has no part in what stands before it.
Tensor cumsum(const Tensor& x, int32_t axis) {
  const int64_t n = x.size(axis);
  Tensor y = contiguous(x);
  for (int64_t step = 1; step < n; step *= 2) {
    const Tensor sums = slice(y, axis, step, n) + slice(y, axis, 0, n - step);
    y = concat(std::array{slice(y, axis, 0, step), sums}, axis);
  }
  return y;
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
