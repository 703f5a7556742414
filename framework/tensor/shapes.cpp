// shapes.cpp - other shapes of the same values, as views where the strides allow it, and concat and gather.
#include "tensor/gradients.hpp"
#include "tensor/support.hpp"

namespace rgm::ops {
namespace {

Shape filled_in(const Shape& wanted, const Tensor& x) {
  Shape shape = wanted;
  int32_t open = -1;
  for (int32_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] >= 0) continue;
    require(shape[i] == -1 && open < 0, "reshape: {} may leave one size open, with -1", wanted.text());
    open = i;
    shape[i] = 1;
  }
  const int64_t known = shape.count();
  require(open < 0 || known > 0, "reshape: {} leaves a size open that {} does not determine", wanted.text(),
          x.shape().text());
  if (open >= 0) shape[open] = x.count() / known;
  require(shape.count() == x.count(), "reshape: {} has {} elements and does not fit into {}", x.shape().text(),
          x.count(), wanted.text());
  return shape;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& wanted) {
  const Shape shape = filled_in(wanted, x);
  if (shape == x.shape()) return x;
  Tensor y;
  if (const auto v = views::reshaped(x.view(), shape)) {
    y = alias(x, *v);
  } else {
    y = empty(x.shape(), x.dtype());
    kernel::copy(x.view(), y.view());
    const rgm_view dense = dense_view(shape, x.dtype(), y.view().data);
    y = seen_as(std::move(y), dense);
  }
  if (would_record({&x})) record("reshape", gradients::reshape, {&x}, {&y}, {});
  return y;
}

Tensor permute(const Tensor& x, std::span<const int32_t> wanted) {
  require(static_cast<int32_t>(wanted.size()) == x.rank(), "permute: {} axes for a tensor of shape {}", wanted.size(),
          x.shape().text());
  int64_t packed = 0;
  uint32_t seen = 0;
  std::array<int32_t, 8> axes{};
  for (size_t i = 0; i < wanted.size(); ++i) {
    axes[i] = axis_of(wanted[i], x.rank(), "permute");
    require(!(seen >> axes[i] & 1), "permute: the axes are not a permutation: {} is there twice", axes[i]);
    seen |= 1U << axes[i];
    packed |= int64_t{axes[i]} << (4 * i);
  }
  Tensor y = alias(x, views::permuted(x.view(), std::span(axes.data(), wanted.size())));
  if (would_record({&x})) record("permute", gradients::permute, {&x}, {&y}, {}, {.i = {packed}});
  return y;
}

Tensor transpose(const Tensor& x) {
  require(x.rank() >= 2, "transpose: a tensor of shape {}, expected two axes or more", x.shape().text());
  std::array<int32_t, 8> axes{0, 1, 2, 3, 4, 5, 6, 7};
  std::swap(axes[static_cast<size_t>(x.rank() - 1)], axes[static_cast<size_t>(x.rank() - 2)]);
  return permute(x, std::span(axes.data(), static_cast<size_t>(x.rank())));
}

Tensor slice(const Tensor& x, int32_t wanted, int64_t begin, int64_t end) {
  const int32_t axis = axis_of(wanted, x.rank(), "slice");
  require(0 <= begin && begin <= end && end <= x.size(axis), "slice: [{}, {}) of axis {} of a tensor of shape {}",
          begin, end, axis, x.shape().text());
  if (begin == 0 && end == x.size(axis)) return x;
  Tensor y = alias(x, views::sliced(x.view(), axis, begin, end));
  if (would_record({&x})) record("slice", gradients::slice, {&x}, {&y}, {}, {.i = {axis, begin, end}});
  return y;
}

std::vector<Tensor> split(const Tensor& x, int32_t wanted, std::span<const int64_t> sizes) {
  const int32_t axis = axis_of(wanted, x.rank(), "split");
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (const int64_t size : sizes) {
    require(size >= 0 && begin + size <= x.size(axis),
            "split: the parts do not fit into axis {} of a tensor of shape {}", axis, x.shape().text());
    parts.push_back(alias(x, views::sliced(x.view(), axis, begin, begin + size)));
    begin += size;
  }
  require(begin == x.size(axis), "split: the parts have {} of axis {} of a tensor of shape {}", begin, axis,
          x.shape().text());
  record("split", gradients::split, std::span(&x, 1), parts, {},
         {.i = {axis}, .more = std::make_shared<std::vector<int64_t>>(sizes.begin(), sizes.end())});
  return parts;
}

Tensor concat(std::span<const Tensor> xs, int32_t wanted) {
  require(!xs.empty(), "concat: no tensors");
  const int32_t axis = axis_of(wanted, xs[0].rank(), "concat");
  rgm_dtype dtype = xs[0].dtype();
  for (const Tensor& x : xs) dtype = common_type(dtype, x.dtype());
  Shape shape = xs[0].shape();
  shape[axis] = 0;
  std::vector<Tensor> parts;
  for (const Tensor& x : xs) {
    Shape like = x.shape();
    require(like.rank() == shape.rank(), "concat: shapes {} and {}", xs[0].shape().text(), like.text());
    shape[axis] += like[axis];
    like[axis] = xs[0].size(axis);
    require(like == xs[0].shape(), "concat: shapes {} and {} differ in more than axis {}", xs[0].shape().text(),
            x.shape().text(), axis);
    parts.push_back(cast(x, dtype));
  }
  Tensor y = empty(shape, dtype);
  int64_t begin = 0;
  for (const Tensor& x : parts) {
    kernel::copy(x.view(), views::sliced(y.view(), axis, begin, begin + x.size(axis)));
    begin += x.size(axis);
  }
  record("concat", gradients::concat, parts, std::span(&y, 1), {}, {.i = {axis}});
  return y;
}

Tensor gather(const Tensor& x, int32_t wanted, const Tensor& indices) {
  const int32_t axis = axis_of(wanted, x.rank(), "gather");
  require(indices.rank() == 1, "gather: the index has {} dimensions, expected 1", indices.rank());
  require(!is_float(indices.dtype()), "gather: the index is {}, whole numbers were expected: cast it, if that is meant",
          name_of(indices.dtype()));
  const Tensor index = cast(indices, RGM_I32);
  Shape shape = x.shape();
  shape[axis] = index.size(0);
  Tensor y = empty(shape, x.dtype());
  kernel::gather(axis, x.view(), index.view(), y.view());
  if (is_float(x.dtype()) && would_record({&x}))
    record("gather", gradients::gather, {&x}, {&y}, {index}, {.i = {axis}});
  return y;
}

Tensor detach(const Tensor& x) { return x.needs_gradient() ? alias(x, x.view()) : x; }

Tensor with_gradient(const Tensor& x, std::function<Tensor()> more) {
  if (!would_record({&x})) return x;
  Tensor y = alias(x, x.view());
  record("with_gradient", gradients::with_gradient, {&x}, {&y}, {},
         {.more = std::make_shared<const std::function<Tensor()>>(std::move(more))});
  return y;
}

Tensor contiguous(const Tensor& x) {
  if (is_contiguous(x.view())) return x;
  Tensor y = dense_of(x);
  if (would_record({&x})) record("contiguous", gradients::cast, {&x}, {&y}, {});
  return y;
}

Tensor broadcast(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  require(rgm::broadcast(x.shape(), shape, "broadcast") == shape, "broadcast: {} does not fit into {}",
          x.shape().text(), shape.text());
  Tensor y = alias(x, broadcast_to(x.view(), shape));
  if (would_record({&x})) record("broadcast", gradients::broadcast, {&x}, {&y}, {});
  return y;
}

}  // namespace rgm::ops
