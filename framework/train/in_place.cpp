// in_place.cpp - by rows, as many as a piece has room for.
#include "train/in_place.hpp"

#include <algorithm>

#include "tensor/ops.hpp"

namespace rgm {
namespace {

constexpr int64_t piece = int64_t{1} << 20;  // elements at a time

void for_each_piece(const Tensor& one, const Tensor& other, const auto& see) {
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
    assign(part, rate == 1 ? to : part + rate * (to - part));  // the difference, so that equal ones have none
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
