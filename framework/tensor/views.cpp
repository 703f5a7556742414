// views.cpp - the arithmetic of strides.
#include "tensor/views.hpp"

#include <numeric>

namespace rgm::views {

// Groups of old axes and groups of new axes with equal products are matched from the left; a group of old axes must
// lie in memory as if it were one axis.
std::optional<rgm_view> reshaped(const rgm_view& v, const Shape& shape) {
  rgm_view out = dense_view(shape, v.dtype, v.data);
  if (is_contiguous(v)) return out;
  rgm_view old = v;  // without axes of size 1
  old.rank = 0;
  for (int32_t i = 0; i < v.rank; ++i) {
    if (v.shape[i] == 1) continue;
    old.shape[old.rank] = v.shape[i];
    old.stride[old.rank++] = v.stride[i];
  }
  int32_t from = 0, to = 0;
  while (from < old.rank && to < out.rank) {
    int32_t from_end = from + 1, to_end = to + 1;
    int64_t have = old.shape[from], want = out.shape[to];
    while (have != want) {
      if (want < have) {
        if (to_end == out.rank) return std::nullopt;
        want *= out.shape[to_end++];
      } else {
        if (from_end == old.rank) return std::nullopt;
        have *= old.shape[from_end++];
      }
    }
    for (int32_t i = from; i + 1 < from_end; ++i)
      if (old.stride[i] != old.stride[i + 1] * old.shape[i + 1]) return std::nullopt;
    int64_t step = old.stride[from_end - 1];
    for (int32_t i = to_end; i-- > to; step *= out.shape[i]) out.stride[i] = step;
    from = from_end;
    to = to_end;
  }
  return out;
}

rgm_view permuted(const rgm_view& v, std::span<const int32_t> axes) {
  rgm_view out = v;
  for (size_t i = 0; i < axes.size(); ++i) {
    out.shape[i] = v.shape[axes[i]];
    out.stride[i] = v.stride[axes[i]];
  }
  return out;
}

rgm_view transposed(const rgm_view& v) {
  rgm_view out = v;
  std::swap(out.shape[v.rank - 1], out.shape[v.rank - 2]);
  std::swap(out.stride[v.rank - 1], out.stride[v.rank - 2]);
  return out;
}

rgm_view sliced(const rgm_view& v, int32_t axis, int64_t begin, int64_t end) {
  rgm_view out = v;
  out.shape[axis] = end - begin;
  if (v.data) out.data = static_cast<char*>(v.data) + begin * v.stride[axis] * static_cast<int64_t>(bytes_of(v.dtype));
  return out;
}

std::optional<rgm_view> rows(const rgm_view& v) {
  const int64_t last = v.rank ? v.shape[v.rank - 1] : 1;
  if (v.rank == 2) return v;
  return reshaped(v, {last ? count_of(v) / last : 0, last});
}

bool repeats(const rgm_view& v) {
  for (int32_t i = 0; i < v.rank; ++i)
    if (v.stride[i] == 0 && v.shape[i] > 1) return true;
  return false;
}

namespace {
std::array<int32_t, 8> memory_order(const rgm_view& v) {
  std::array<int32_t, 8> order{};
  std::iota(order.begin(), order.end(), 0);
  const auto key = [&](int32_t axis) { return v.shape[axis] == 1 ? 0 : v.stride[axis]; };
  // Repeated axes have no place in memory: then row-major.
  if (!repeats(v))
    std::stable_sort(order.begin(), order.begin() + v.rank, [&](int32_t a, int32_t b) { return key(a) > key(b); });
  return order;
}
}  // namespace

rgm_view in_memory_order(const rgm_view& v) {
  const auto order = memory_order(v);
  return permuted(v, std::span(order.data(), static_cast<size_t>(v.rank)));
}

rgm_view layout_like(const rgm_view& v, rgm_dtype dtype) {
  const auto order = memory_order(v);
  rgm_view out = v;
  out.dtype = dtype;
  out.data = nullptr;
  for (int64_t i = v.rank, step = 1; i-- > 0; step *= v.shape[order[static_cast<size_t>(i)]])
    out.stride[order[static_cast<size_t>(i)]] = step;
  if (same_layout(out, v)) std::copy(v.stride, v.stride + 8, out.stride);
  return out;
}

bool same_layout(const rgm_view& a, const rgm_view& b) {
  if (a.rank != b.rank) return false;
  for (int32_t i = 0; i < a.rank; ++i)
    if (a.shape[i] != b.shape[i] || (a.shape[i] > 1 && a.stride[i] != b.stride[i])) return false;
  return true;
}

}  // namespace rgm::views
