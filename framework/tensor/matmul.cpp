// matmul.cpp - alpha op(a) op(b) + c over the last two axes.
#include "tensor/gradients.hpp"
#include "tensor/support.hpp"

namespace rgm {
namespace {

Shape with_batch(const Shape& batch, int64_t rows, int64_t columns) {
  Shape shape = batch;
  shape.push_back(rows);
  shape.push_back(columns);
  return shape;
}
Shape batch_of(const rgm_view& v) { return Shape(std::span(v.shape, static_cast<size_t>(v.rank - 2))); }
rgm_view to_batch(const rgm_view& v, const Shape& batch) {
  return broadcast_to(v, with_batch(batch, v.shape[v.rank - 2], v.shape[v.rank - 1]));
}

}  // namespace

void product(double alpha, const rgm_view& a, const rgm_view& b, double beta, const rgm_view& y) {
  if (y.rank > 2 && b.rank == 2 && batch_of(a) == batch_of(y)) {
    const auto a_rows = views::rows(a), y_rows = views::rows(y);
    if (a_rows && y_rows) return kernel::matmul(alpha, *a_rows, b, beta, *y_rows);
  }
  const Shape batch = batch_of(y);
  kernel::matmul(alpha, to_batch(a, batch), to_batch(b, batch), beta, y);
}

namespace ops {

Tensor matmul(const Tensor& left, bool transpose_a, const Tensor& right, bool transpose_b, double alpha, Tensor c) {
  require(left.rank() >= 2 && right.rank() >= 2, "matmul: shapes {} and {}, expected two axes or more each",
          left.shape().text(), right.shape().text());
  const bool native = native_bf16(left, right);
  const Tensor a = native ? left : as_float(left), b = native ? right : as_weight(right);
  const rgm_view va = transpose_a ? views::transposed(a.view()) : a.view();
  const rgm_view vb = transpose_b ? views::transposed(b.view()) : b.view();
  const int64_t M = va.shape[va.rank - 2], K = va.shape[va.rank - 1], N = vb.shape[vb.rank - 1];
  require(vb.shape[vb.rank - 2] == K, "matmul: {}{} and {}{} do not fit: {} columns, {} rows", a.shape().text(),
          transpose_a ? " transposed" : "", b.shape().text(), transpose_b ? " transposed" : "", K,
          vb.shape[vb.rank - 2]);
  const Shape shape = with_batch(rgm::broadcast(batch_of(va), batch_of(vb), "matmul"), M, N);

  Tensor y;
  if (c && writable(c) && c.shape() == shape) {
    y = alias(c, c.view());
  } else {
    y = empty(shape);
    if (c) {
      c = as_float(c);
      require(rgm::broadcast(c.shape(), shape, "matmul") == shape, "matmul: c of shape {} does not fit into {}",
              c.shape().text(), shape.text());
      kernel::copy(broadcast_to(c.view(), shape), y.view());
    }
  }
  product(alpha, va, vb, c ? 1 : 0, y.view());
  if (would_record({&a, &b, &c}))
    record("matmul", gradients::matmul, {&a, &b, &c}, {&y},
           {b.needs_gradient() ? a : Tensor(), a.needs_gradient() ? b : Tensor()},
           {.i = {transpose_a, transpose_b, native}, .f = {alpha}});
  return y;
}

}  // namespace ops
}  // namespace rgm
