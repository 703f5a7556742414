// shape.hpp - the sizes of a tensor's axes, up to eight, without an allocation; and rgm_view from and to them.
#pragma once
#include <regimen/abi/base.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>

#include "base/error.hpp"

namespace rgm {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes) : rank_(static_cast<int32_t>(sizes.size())) {
    require(sizes.size() <= 8, "a tensor has at most 8 axes, {} were asked for", sizes.size());
    std::copy(sizes.begin(), sizes.end(), sizes_.begin());
  }
  explicit Shape(const rgm_view& v) : Shape(std::span(v.shape, static_cast<size_t>(v.rank))) {}

  int32_t rank() const { return rank_; }
  int64_t operator[](int32_t axis) const { return sizes_[static_cast<size_t>(axis)]; }
  int64_t& operator[](int32_t axis) { return sizes_[static_cast<size_t>(axis)]; }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }
  int64_t last() const { return rank_ ? sizes_[static_cast<size_t>(rank_ - 1)] : 1; }
  // Throws where no memory could hold so many elements, which a plug-in may ask for.
  int64_t count() const {
    constexpr int64_t most = std::numeric_limits<int64_t>::max() / 8;  // of the widest type
    int64_t n = 1;
    bool is_empty = false;
    for (const int64_t size : *this) {
      is_empty |= size == 0;
      if (size != 0 && (__builtin_mul_overflow(n, size, &n) || n > most)) too_large();
    }
    return is_empty ? 0 : n;
  }
  void push_back(int64_t size) {
    require(rank_ < 8, "a tensor has at most 8 axes");
    sizes_[static_cast<size_t>(rank_++)] = size;
  }
  bool operator==(const Shape& o) const { return std::equal(begin(), end(), o.begin(), o.end()); }
  std::string text() const;  // (2, 3)

 private:
  [[noreturn]] void too_large() const;
  std::array<int64_t, 8> sizes_{};
  int32_t rank_ = 0;
};

size_t bytes_of(rgm_dtype dtype);
const char* name_of(rgm_dtype dtype);
bool is_float(rgm_dtype dtype);

// A row-major view of `shape`.
rgm_view dense_view(const Shape& shape, rgm_dtype dtype, void* data = nullptr);
int64_t count_of(const rgm_view& v);
bool is_contiguous(const rgm_view& v);  // row-major without gaps
// The shape that a and b broadcast to, from the right. `what` begins the message when they do not.
Shape broadcast(const Shape& a, const Shape& b, const char* what);
// `v` seen with `shape`: stride 0 where it repeats.
rgm_view broadcast_to(const rgm_view& v, const Shape& shape);

}  // namespace rgm
