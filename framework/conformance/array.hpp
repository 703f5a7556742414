// array.hpp - an argument of a case: a view into memory of its own, whose unused bytes are poisoned too, so that a
// kernel that reads or writes beside its view is found out.
#pragma once
#include <regimen/abi.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace rgm::conformance {

using Shape = std::vector<int64_t>;
using Bytes = std::vector<std::byte>;

struct Array {
  rgm_view view{};     // data is NULL: memory differs by device
  int64_t offset = 0;  // elements in front of the view's first
  bool written = false;
  Bytes initial{};

  double get(const Bytes& memory, int64_t element) const;  // counted from the view's first
  void set(int64_t element, double value);
};

size_t size_of(rgm_dtype dtype);
bool is_float(rgm_dtype dtype);
// body(offset of an element from the view's first) in row-major order
void each_element(const rgm_view& view, const std::function<void(int64_t)>& body);

// An array of `shape` whose axes lie in memory in `order` (outermost first), `gap` elements apart at the innermost and
// after every axis, and `behind` more after each line of the innermost; axes in `repeated` (a bit each) have stride 0.
// All bytes are 0xFF: NaN in every float type.
struct Layout {
  std::vector<int> order{};
  int64_t gap = 0, behind = 0, offset = 0;
  uint32_t repeated = 0;
};
Array make_array(const Shape& shape, rgm_dtype dtype, const Layout& layout);

}  // namespace rgm::conformance
