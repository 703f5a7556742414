// reduce.cpp - sum, mean, maximum and log-sum-exp over axes, and sums by segment.
#include <cmath>

#include "tensor/gradients.hpp"
#include "tensor/support.hpp"

namespace rgm::ops {
namespace {

Tensor exp_of_difference(const Tensor& x, const Tensor& m) {
  Tensor y = empty(x.shape());
  kernel::binary(RGM_SUB, x.view(), broadcast_to(m.view(), x.shape()), y.view());
  kernel::unary(RGM_EXP, y.view(), y.view());
  return y;
}

// log(sum(exp(x - m))) + m, m the maximum, or 0 where that is infinite
Tensor logsumexp(const Tensor& x, uint32_t axes, const Shape& kept) {
  const NoGradient no_gradient;
  Tensor m = empty(kept), sum = empty(kept);
  kernel::reduce(RGM_MAXIMUM, axes, x.view(), m.view());
  m = select(binary(RGM_EQUAL, unary(RGM_ABS, m), full({}, INFINITY)), full({}, 0), m);
  kernel::reduce(RGM_SUM, axes, exp_of_difference(x, m).view(), sum.view());
  kernel::unary(RGM_LOG, sum.view(), sum.view());
  kernel::binary(RGM_ADD, sum.view(), m.view(), sum.view());
  return sum;
}

}  // namespace

Tensor reduce(int32_t op, uint32_t axes, const Tensor& input, bool keep) {
  require(op >= RGM_SUM && op <= RGM_LOGSUMEXP, "reduce: {} is not an operation", op);
  Tensor x = as_float(input);
  const uint32_t all = (1U << x.rank()) - 1;
  require(axes == ~0U || (axes & ~all) == 0, "reduce: axes {:#x} of a tensor with {} axes", axes, x.rank());
  axes &= all;
  if (axes == 0) return x;
  Shape kept = x.shape(), rest;
  int64_t n = 1;
  for (int32_t i = 0; i < x.rank(); ++i) {
    if (axes >> i & 1) {
      n *= kept[i];
      kept[i] = 1;
    } else {
      rest.push_back(kept[i]);
    }
  }
  Tensor y = empty(kept);
  if (op == RGM_LOGSUMEXP) {
    if (!kernel::offered_reduce(op, axes, x.view(), y.view())) y = logsumexp(x, axes, kept);
  } else {
    kernel::reduce(op == RGM_MAXIMUM ? RGM_MAXIMUM : RGM_SUM, axes, x.view(), y.view());
    if (op == RGM_MEAN) y = scaled(std::move(y), 1 / static_cast<double>(n));
  }
  if (!keep) {
    const rgm_view v = dense_view(rest, RGM_F32, y.view().data);
    y = seen_as(std::move(y), v);
  }
  if (!would_record({&x})) return y;
  const Arguments arguments{.i = {axes}, .f = {op == RGM_MEAN ? 1 / static_cast<double>(n) : 1}};
  if (op == RGM_SUM || op == RGM_MEAN)
    record("sum", gradients::sum, {&x}, {&y}, {}, arguments);
  else
    record(op == RGM_MAXIMUM ? "maximum" : "logsumexp", op == RGM_MAXIMUM ? gradients::maximum : gradients::logsumexp,
           {&x}, {&y}, {x, alias(y, y.view())}, arguments);
  return y;
}

// Padding goes to element 0 of a longer sum, which is then left out.
Tensor segment_sum(const Tensor& input, const Tensor& segments, int64_t n) {
  const Tensor x = as_float(input);
  require(x.shape() == segments.shape(), "segment_sum: x has shape {}, segments {}", x.shape().text(),
          segments.shape().text());
  const Tensor index = reshape(cast(segments, RGM_I32), {x.count()}), flat = dense_of(x);
  Tensor sums = zeros({n + 1});
  kernel::scatter_add(0, index.view(), dense_view({x.count()}, RGM_F32, flat.view().data), sums.view());
  const rgm_view wanted = views::sliced(sums.view(), 0, 1, n + 1);
  Tensor y = seen_as(std::move(sums), wanted);
  if (would_record({&x})) record("segment_sum", gradients::segment_sum, {&x}, {&y}, {index}, {.i = {n}});
  return y;
}

}  // namespace rgm::ops
