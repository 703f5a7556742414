// softmax.cpp - softmax, its logarithm, and running sums along an axis; the largest elements, and picked ones.
#include "tensor/composed.hpp"
#include "tensor/gradients.hpp"
#include "tensor/support.hpp"

namespace rgm::ops {
namespace {

// The place of element index[i] of row i among all elements, for rows of V; -1, which gather refuses, for an index
// outside of its row.
Tensor flat_index(const Tensor& index, int64_t rows, int64_t V) {
  const auto number = [](int64_t n) { return full({}, static_cast<double>(n), RGM_I32); };
  const Tensor own = reshape(contiguous(cast(index, RGM_I32)), {rows});
  const Tensor flat = affine(iota(rows), static_cast<double>(V), 0) + own;
  const Tensor below = select(binary(RGM_LESS, own, number(V)), flat, number(-1));
  return select(binary(RGM_LESS, own, number(0)), number(-1), below);
}

}  // namespace

Tensor softmax(const Tensor& input, int32_t wanted) {
  const int32_t axis = axis_of(wanted, input.rank(), "softmax");
  const Tensor x = as_float(input);
  const rgm_kernels& k = kernel::table();
  Tensor y;
  if (RGM_HAS(&k, softmax)) {
    y = empty(x.shape());
    if (!kernel::ran(k.softmax(kernel::queue(), axis, &x.view(), &y.view()))) y = {};
  }
  if (!y) {
    const NoGradient no_gradient;  // the rule below serves both
    y = composed::softmax(x, axis);
  }
  if (would_record({&x})) record("softmax", gradients::softmax, {&x}, {&y}, {alias(y, y.view())}, {.i = {axis}});
  return y;
}

Tensor log_softmax(const Tensor& input, int32_t wanted) {
  const int32_t axis = axis_of(wanted, input.rank(), "log_softmax");
  const Tensor x = as_float(input);
  return x - reduce(RGM_LOGSUMEXP, 1U << axis, x, true);
}

Tensor cumsum(const Tensor& input, int32_t wanted) {
  const int32_t axis = axis_of(wanted, input.rank(), "cumsum");
  const Tensor x = as_float(input);
  const rgm_kernels& k = kernel::table();
  Tensor y;
  if (RGM_HAS(&k, cumsum)) {
    y = empty(x.shape());
    if (!kernel::ran(k.cumsum(kernel::queue(), axis, &x.view(), &y.view()))) y = {};
  }
  if (!y) {
    const NoGradient no_gradient;
    y = composed::cumsum(x, axis);
  }
  if (would_record({&x})) record("cumsum", gradients::cumsum, {&x}, {&y}, {}, {.i = {axis}});
  return y;
}

std::pair<Tensor, Tensor> top_k(const Tensor& input, int64_t n) {
  const Tensor x = as_float(input);
  require(x.rank() >= 1 && n >= 0 && n <= x.size(-1), "top_k: {} of a tensor of shape {}", n, x.shape().text());
  Shape shape = x.shape();
  shape[shape.rank() - 1] = n;
  Tensor values, index;
  const rgm_kernels& k = kernel::table();
  if (n > 0 && RGM_HAS(&k, top_k)) {
    values = empty(shape);
    index = empty(shape, RGM_I32);
    if (!kernel::ran(k.top_k(kernel::queue(), &x.view(), &values.view(), &index.view()))) values = {};
  }
  if (!values) {
    const NoGradient no_gradient;
    std::tie(values, index) = composed::top_k(x, n);
  }
  if (would_record({&x})) {
    const int64_t V = x.size(-1), rows = V ? x.count() / V : 0;
    require(x.count() < int64_t{1} << 31, "top_k: {} elements are too many for a gradient", x.count());
    const Tensor first = affine(iota(rows), static_cast<double>(V), 0);
    const Tensor flat = reshape(reshape(index, {rows, n}) + reshape(first, {rows, 1}), {rows * n});
    record("top_k", gradients::pick, {&x}, {&values}, {flat});
  }
  return {values, index};
}

// One element a row: a gather from all elements, or, where their numbers do not fit into int32, a masked sum.
Tensor pick(const Tensor& input, const Tensor& index) {
  const Tensor x = as_float(input);
  Shape rest = x.shape();
  require(x.rank() >= 1 && index.rank() == x.rank() - 1, "pick: x has shape {}, the index {}", x.shape().text(),
          index.shape().text());
  rest = Shape(std::span(rest.begin(), static_cast<size_t>(x.rank() - 1)));
  require(index.shape() == rest, "pick: the index has shape {}, expected {}", index.shape().text(), rest.text());
  const int64_t V = x.size(-1), rows = rest.count();
  if (x.count() >= int64_t{1} << 31) {
    Shape column = rest;
    column.push_back(1);
    const Tensor here = binary(RGM_EQUAL, reshape(cast(index, RGM_I32), column), iota(V));
    return reduce(RGM_SUM, 1U << (x.rank() - 1), select(here, x, full({}, 0)));
  }
  const Tensor flat = flat_index(index, rows, V), dense = dense_of(x);
  Tensor y = empty(rest);
  kernel::gather(0, dense_view({x.count()}, RGM_F32, dense.view().data), flat.view(),
                 dense_view({rows}, RGM_F32, y.view().data));
  if (would_record({&x})) record("pick", gradients::pick, {&x}, {&y}, {flat});
  return y;
}

}  // namespace rgm::ops
