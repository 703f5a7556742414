// views.hpp - the same memory seen otherwise: reshaped, transposed, sliced; and the layout that a gradient takes.
#pragma once
#include <optional>
#include <span>

#include "tensor/shape.hpp"

namespace rgm::views {

// Nothing where the strides do not allow it without a copy.
std::optional<rgm_view> reshaped(const rgm_view& v, const Shape& shape);
rgm_view permuted(const rgm_view& v, std::span<const int32_t> axes);
rgm_view transposed(const rgm_view& v);  // the last two axes
rgm_view sliced(const rgm_view& v, int32_t axis, int64_t begin, int64_t end);
// (.., C) as (M, C), where the strides allow it.
std::optional<rgm_view> rows(const rgm_view& v);

// Some elements share their memory, so nothing may be written here.
bool repeats(const rgm_view& v);
// Without gaps, with the axes in the order in memory that `v` has; just v's strides where it has no gaps itself.
rgm_view layout_like(const rgm_view& v, rgm_dtype dtype);
// The axes in the order that they have in memory, the outermost first: what has no gaps is then row-major.
rgm_view in_memory_order(const rgm_view& v);
// Equal strides, but for axes of size 1.
bool same_layout(const rgm_view& a, const rgm_view& b);

}  // namespace rgm::views
