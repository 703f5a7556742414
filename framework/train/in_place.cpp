// in_place.cpp - as the numbers lie in memory, or else by rows; as many at a time as a piece has room for.
#include "train/in_place.hpp"

#include <algorithm>

#include "tensor/kernel.hpp"
#include "tensor/ops.hpp"
#include "tensor/views.hpp"

namespace rgm {
namespace {

constexpr int64_t piece = int64_t{1} << 20;  // elements at a time

Tensor as_it_lies(const Tensor& x) { return alias(x, dense_view({x.count()}, x.dtype(), x.view().data)); }

// Weights may be kept transposed, and what is computed of them is row-major: reading across it takes several times as
// long.
bool lie_alike(const Tensor& one, const Tensor& other) {
  return views::same_layout(one.view(), other.view()) && is_contiguous(views::in_memory_order(one.view()));
}

void for_each_piece(const Tensor& one, const Tensor& other, const auto& see) {
  if (one.rank() > 1 && lie_alike(one, other)) return for_each_piece(as_it_lies(one), as_it_lies(other), see);
  if (one.count() <= piece) return see(one, other);
  const int64_t rows = one.size(0), at_once = std::max<int64_t>(1, piece / (one.count() / rows));
  for (int64_t i = 0; i < rows; i += at_once) {
    const int64_t end = std::min(rows, i + at_once);
    see(ops::slice(one, 0, i, end), ops::slice(other, 0, i, end));
  }
}

}  // namespace

void move_towards(const Tensor& own, const Tensor& target, double rate) {
  for_each_piece(own, target, [&](const Tensor& part, const Tensor& of_target) {
    const Tensor to = ops::cast(of_target, part.dtype());
    if (rate == 1) return assign(part, to);
    const Tensor change = rate * (to - part);  // of the difference, so that equal ones have none
    if (part.dtype() == change.dtype()) return kernel::binary(RGM_ADD, part.view(), change.view(), part.view());
    assign(part, part + change);
  });
}

void exchange(const Tensor& one, const Tensor& other) {
  for_each_piece(one, other, [](const Tensor& a, const Tensor& b) {
    const Tensor kept = empty_like(a.view(), a.dtype());
    assign(kept, a);
    assign(a, b);
    assign(b, kept);
  });
}

}  // namespace rgm
