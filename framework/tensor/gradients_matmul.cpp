// gradients_matmul.cpp - the gradients of a product of matrices: products again, written to where gradients collect.
#include "tensor/gradients.hpp"

#include "tensor/collect.hpp"

namespace rgm::gradients {

// y = alpha op(a) op(b) + c: d op(a) = alpha dy op(b)^T, d op(b) = alpha op(a)^T dy
void matmul(Backward& back) {
  const bool ta = back.arguments().i[0], tb = back.arguments().i[1];
  const double alpha = back.arguments().f[0];
  back.add(2, back.dy());
  if (!back.needs(0) && !back.needs(1)) return;
  const auto turned = [](const rgm_view& v, bool turn) { return turn ? views::transposed(v) : v; };
  const auto batch_of = [](const rgm_view& v) { return Shape(std::span(v.shape, static_cast<size_t>(v.rank - 2))); };
  const bool native = back.arguments().i[2];
  const Tensor dy = matching(back.take_dy(), native);
  // g (or a full-sized gradient that is summed afterwards) += alpha left right, `turn`: g is the transpose of that
  const auto write = [&](size_t i, const rgm_view& left, const rgm_view& right, bool turn) {
    if (batch_of(back.like(i)) == batch_of(dy.view()))
      return accumulate(back, i, native,
                        [&](const rgm_view& g, double beta) { product(alpha, left, right, beta, turned(g, turn)); });
    Shape shape(dy.view());
    const int32_t rows = shape.rank() - 2;
    shape[rows] = back.like(i).shape[back.like(i).rank - 2];
    shape[rows + 1] = back.like(i).shape[back.like(i).rank - 1];
    const Tensor full = empty(shape);
    product(alpha, left, right, 0, turned(full.view(), turn));
    back.add(i, full);
  };
  if (back.needs(0)) write(0, dy.view(), views::transposed(turned(back.saved(1).view(), tb)), ta);
  if (!back.needs(1)) return;
  const rgm_view a = turned(back.saved(0).view(), ta);
  if (back.like(1).rank == 2 && batch_of(a) == batch_of(dy.view())) {  // one matrix for all batches: one long product
    const auto a_rows = views::rows(a), dy_rows = views::rows(dy.view());
    if (a_rows && dy_rows)
      return accumulate(back, 1, native, [&](const rgm_view& g, double beta) {
        product(alpha, views::transposed(*a_rows), *dy_rows, beta, turned(g, tb));
      });
  }
  write(1, views::transposed(a), dy.view(), tb);
}

}  // namespace rgm::gradients
