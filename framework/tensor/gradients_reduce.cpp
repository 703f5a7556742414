// gradients_reduce.cpp - the gradients of what works along axes: reductions, softmax, cumulative sums, and picking.
#include "tensor/gradients.hpp"

#include "tensor/composed.hpp"
#include "tensor/support.hpp"

namespace rgm::gradients {
namespace {

// Gradients of a reduction: dy with the reduced axes back, repeated to the shape of x.
rgm_view spread(const Tensor& dy, const rgm_view& x, uint32_t axes) {
  Shape kept(x);
  for (int32_t i = 0; i < x.rank; ++i)
    if (axes >> i & 1) kept[i] = 1;
  const auto v = views::reshaped(dy.view(), kept);
  return broadcast_to(*v, Shape(x));
}

}  // namespace

void sum(Backward& b) {
  const Tensor dy = dense_of(scaled(b.take_dy(), b.arguments().f[0]));
  b.add(0, alias(dy, spread(dy, b.like(0), static_cast<uint32_t>(b.arguments().i[0]))));
}
// Equal maxima share the gradient.
void maximum(Backward& b) {
  const auto axes = static_cast<uint32_t>(b.arguments().i[0]);
  const Tensor dy = dense_of(b.take_dy()), &x = b.saved(0), y = alias(b.saved(1), spread(b.saved(1), x.view(), axes));
  const Tensor largest = ops::cast(ops::binary(RGM_EQUAL, x, y), RGM_F32);
  const Tensor share = alias(dy, spread(dy, x.view(), axes)) / ops::reduce(RGM_SUM, axes, largest, true);
  b.add(0, largest * share);
}
// dx = dy exp(x - y); of minus infinity alone, 0
void logsumexp(Backward& b) {
  const auto axes = static_cast<uint32_t>(b.arguments().i[0]);
  const Tensor &x = b.saved(0), &saved = b.saved(1), dy = dense_of(b.take_dy());
  const Tensor y = ops::select(ops::binary(RGM_EQUAL, saved, ops::full({}, -INFINITY)), ops::full({}, 0), saved);
  b.add(0, ops::exp(x - alias(y, spread(y, x.view(), axes))) * alias(dy, spread(dy, x.view(), axes)));
}
void segment_sum(Backward& b) {
  const Tensor parts[] = {zeros({1}), b.take_dy()};
  b.add(0, ops::reshape(ops::gather(ops::concat(parts, 0), 0, b.saved(0)), Shape(b.like(0))));
}

void softmax(Backward& b) {
  const auto axis = static_cast<int32_t>(b.arguments().i[0]);
  const Tensor &y = b.saved(0), &dy = b.dy();
  Tensor dx = empty(y.shape());
  const rgm_kernels& k = kernel::table();
  if (!RGM_HAS(&k, softmax_grad) ||
      !kernel::ran(k.softmax_grad(kernel::queue(), axis, &y.view(), &dy.view(), &dx.view())))
    dx = composed::softmax_gradient(axis, y, dy);
  b.add(0, std::move(dx));
}
// The sum of all dy from here on: a sum from the other end.
void cumsum(Backward& b) {
  const auto axis = static_cast<int32_t>(b.arguments().i[0]);
  const int64_t n = b.like(0).shape[axis];
  const Tensor falling = ops::cast(ops::affine(ops::iota(n), -1, static_cast<double>(n - 1)), RGM_I32);
  b.add(0, ops::gather(ops::cumsum(ops::gather(b.dy(), axis, falling), axis), axis, falling));
}
void pick(Backward& b) {
  const Tensor dy = dense_of(b.take_dy());
  Tensor flat = zeros({count_of(b.like(0))});
  kernel::scatter_add(0, b.saved(0).view(), dense_view({dy.count()}, RGM_F32, dy.view().data), flat.view());
  const rgm_view dx = dense_view(Shape(b.like(0)), RGM_F32, flat.view().data);
  b.add(0, seen_as(std::move(flat), dx));
}

}  // namespace rgm::gradients
