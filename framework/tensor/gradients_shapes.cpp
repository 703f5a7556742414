// gradients_shapes.cpp - the gradients of other shapes of the same values: views backward, and writing into parts.
#include "tensor/gradients.hpp"

#include "tensor/collect.hpp"

namespace rgm::gradients {
namespace {

// The gradients of a split's parts lie side by side in one tensor, as the parts do.
bool lie_together(Backward& b, int32_t axis, std::span<const int64_t> sizes) {
  if (b.outputs() != sizes.size() || !b.dy()) return false;
  const Tensor& first = b.dy();
  auto* at = static_cast<std::byte*>(first.view().data);
  for (size_t i = 0; i < sizes.size(); ++i) {
    const Tensor& dy = b.dy(i);
    if (!dy || dy.get()->storage != first.get()->storage || dy.dtype() != first.dtype() || dy.view().data != at ||
        dy.rank() != first.rank() || dy.size(axis) != sizes[i])
      return false;
    if (!std::equal(dy.view().stride, dy.view().stride + dy.rank(), first.view().stride)) return false;
    at += sizes[i] * first.view().stride[axis] * static_cast<int64_t>(bytes_of(first.dtype()));
  }
  return true;
}

}  // namespace

void reshape(Backward& b) {
  Tensor dy = b.take_dy();
  auto v = views::reshaped(dy.view(), Shape(b.like(0)));
  if (!v) {
    dy = dense_of(dy);
    v = views::reshaped(dy.view(), Shape(b.like(0)));
  }
  b.add(0, seen_as(std::move(dy), *v));
}
void permute(Backward& b) {
  Tensor dy = b.take_dy();
  rgm_view v = dy.view();
  for (int32_t i = 0; i < v.rank; ++i) {
    const auto axis = b.arguments().i[0] >> (4 * i) & 15;
    v.shape[axis] = dy.view().shape[i];
    v.stride[axis] = dy.view().stride[i];
  }
  b.add(0, seen_as(std::move(dy), v));
}
// The slices of one tensor write into one gradient of it.
void slice(Backward& b) {
  const auto* i = b.arguments().i;
  accumulate(b, 0, true, [&](const rgm_view& g, double beta) {
    const rgm_view part = views::sliced(g, static_cast<int32_t>(i[0]), i[1], i[2]);
    if (beta != 0) return kernel::binary(RGM_ADD, part, ops::cast(b.dy(), g.dtype).view(), part);
    kernel::fill(0, g);
    kernel::copy(b.dy().view(), part);
  });
}
void split(Backward& b) {
  const auto axis = static_cast<int32_t>(b.arguments().i[0]);
  const auto& sizes = *static_cast<const std::vector<int64_t>*>(b.arguments().more.get());
  if (lie_together(b, axis, sizes)) {
    for (size_t i = 1; i < sizes.size(); ++i) b.take_dy(i);
    Tensor whole = b.take_dy();
    rgm_view v = whole.view();
    v.shape[axis] = b.like(0).shape[axis];
    return b.add(0, seen_as(std::move(whole), v));
  }
  accumulate(b, 0, true, [&](const rgm_view& g, double beta) {
    int64_t begin = 0;
    for (size_t i = 0; i < b.outputs(); ++i) {
      const Tensor& dy = b.dy(i);
      const int64_t size = sizes[i];
      const rgm_view part = views::sliced(g, axis, begin, begin + size);
      begin += size;
      if (dy && beta != 0)
        kernel::binary(RGM_ADD, part, ops::cast(dy, g.dtype).view(), part);
      else if (dy)
        kernel::copy(dy.view(), part);
      else if (beta == 0)
        kernel::fill(0, part);
    }
  });
}
void concat(Backward& b) {
  const auto axis = static_cast<int32_t>(b.arguments().i[0]);
  for (size_t i = 0, begin = 0; i < b.inputs(); ++i) {
    const auto from = static_cast<int64_t>(begin), size = b.like(i).shape[axis];
    b.add(i, alias(b.dy(), views::sliced(b.dy().view(), axis, from, from + size)));
    begin += static_cast<size_t>(size);
  }
}
void gather(Backward& b) {
  accumulate(b, 0, false, [&](const rgm_view& g, double beta) {
    if (beta == 0) kernel::fill(0, g);
    kernel::scatter_add(static_cast<int32_t>(b.arguments().i[0]), b.saved(0).view(), as_float(b.dy()).view(), g);
  });
}
void with_gradient(Backward& b) {
  const Tensor more = (*static_cast<const std::function<Tensor()>*>(b.arguments().more.get()))();
  b.add(0, as_float(b.dy()) + more);
}
void broadcast(Backward& b) { b.add(0, b.take_dy()); }

}  // namespace rgm::gradients
