// backend.hpp - a backend is an rgm_backend table. Here are the component around it, and what kernels need for views:
// sizes, rows over arbitrary strides (a broadcast axis has stride 0), the 16-bit floats, refusals.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "options.hpp"

namespace regimen RGM_PRIVATE {

inline int64_t count(const rgm_view& v) {  // elements
  int64_t n = 1;
  for (int32_t i = 0; i < v.rank; ++i) n *= v.shape[i];
  return n;
}
// Row-major without gaps; the stride of an axis of size 1 does not matter.
inline bool is_contiguous(const rgm_view& v) {
  int64_t step = 1;
  for (int32_t i = v.rank; i-- > 0; step *= v.shape[i])
    if (v.shape[i] != 1 && v.stride[i] != step) return false;
  return true;
}
inline bool same_shape(const rgm_view& a, const rgm_view& b) {
  return a.rank == b.rank && std::equal(a.shape, a.shape + a.rank, b.shape);
}
constexpr size_t size_of(rgm_dtype dtype) {  // bytes of an element; 0: no dtype
  constexpr size_t sizes[] = {0, 4, 2, 2, 4, 8, 1, 1};
  return dtype >= RGM_F32 && dtype <= RGM_BOOL ? sizes[dtype] : 0;
}
template <class T>
T* data(const rgm_view& v) {
  return static_cast<T*>(v.data);
}

// Refuses a call, before anything was written; the host then composes the kernel from others.
[[noreturn]] inline void unsupported(const std::string& text) { throw Error(RGM_UNSUPPORTED, text); }
// A bit from a newer host asks for something that this backend would silently leave out; so it is refused.
inline void accept_features(uint32_t features, uint32_t known, const char* kernel) {
  if (features & ~known) unsupported(std::string(kernel) + ": feature bits that this backend does not know");
}

// Views of one shape, walked as rows: neighbouring axes are merged where every view allows it, and the last axis that
// is left is the row. Rows follow the row-major order of elements, and threads may share them out by number. Throws
// RGM_INVALID if the shapes differ.
//   Rows<2> rows({&x, &y});
//   rows.each(0, rows.size(), [&](auto at, int64_t n, auto step) { ... x[at[0] + i * step[0]] ... });
template <size_t N>
class Rows {
 public:
  using Offsets = std::array<int64_t, N>;  // in elements, one per view

  explicit Rows(const std::array<const rgm_view*, N>& views) {
    const rgm_view& first = *views[0];
    for (const rgm_view* v : views) require(same_shape(*v, first), "views of different shapes");
    for (int32_t i = 0; i < first.rank; ++i) {
      if (first.shape[i] == 1) continue;
      Axis axis{first.shape[i], {}};
      for (size_t k = 0; k < N; ++k) axis.stride[k] = views[k]->stride[i];
      if (axes_ > 0 && merges(axis_[axes_ - 1], axis))
        axis_[axes_ - 1] = {axis_[axes_ - 1].size * axis.size, axis.stride};
      else
        axis_[axes_++] = axis;
    }
    if (axes_ > 0) row_ = axis_[--axes_];
    for (int32_t i = 0; i < axes_; ++i) rows_ *= axis_[i].size;
    if (row_.size == 0) rows_ = 0;
  }

  int64_t size() const { return rows_; }               // how many rows
  int64_t length() const { return row_.size; }         // elements of a row
  const Offsets& step() const { return row_.stride; }  // from one element of a row to the next

  // body(offsets of the row's first element, length, step) for each row of [begin, end)
  template <class F>
  void each(int64_t begin, int64_t end, F&& body) const {
    std::array<int64_t, 8> index{};
    Offsets at{};
    for (int64_t rest = begin, i = axes_; i-- > 0; rest /= axis_[i].size) {
      if (rows_ == 0) return;
      index[i] = rest % axis_[i].size;
      for (size_t k = 0; k < N; ++k) at[k] += index[i] * axis_[i].stride[k];
    }
    for (int64_t row = begin; row < end; ++row) {
      body(std::as_const(at), row_.size, row_.stride);
      for (int32_t i = axes_; i-- > 0;) {
        for (size_t k = 0; k < N; ++k) at[k] += axis_[i].stride[k];
        if (++index[i] < axis_[i].size) break;
        for (size_t k = 0; k < N; ++k) at[k] -= index[i] * axis_[i].stride[k];
        index[i] = 0;
      }
    }
  }
  template <class F>
  void each(F&& body) const {
    each(0, rows_, std::forward<F>(body));
  }

 private:
  struct Axis {
    int64_t size = 1;
    Offsets stride{};
  };
  static bool merges(const Axis& outer, const Axis& inner) {
    for (size_t k = 0; k < N; ++k)
      if (outer.stride[k] != inner.stride[k] * inner.size) return false;
    return true;
  }
  std::array<Axis, 8> axis_{};
  Axis row_{};
  int32_t axes_ = 0;
  int64_t rows_ = 1;
};

struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float x) {  // to nearest, ties to even; NaN stays NaN
    const uint32_t u = std::bit_cast<uint32_t>(x);
    bits = static_cast<uint16_t>(x != x ? (u >> 16) | 0x40 : (u + 0x7FFF + ((u >> 16) & 1)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};

struct Float16 {
  uint16_t bits = 0;
  Float16() = default;
  explicit Float16(float x) {  // to nearest, ties to even; what is too large becomes infinite, NaN stays NaN
    const uint32_t u = std::bit_cast<uint32_t>(x), sign = (u >> 16) & 0x8000, magnitude = u & 0x7FFFFFFF;
    uint32_t half = 0x7C00;
    if (magnitude > 0x7F800000)
      half = 0x7E00;
    else if (magnitude < 0x38800000)  // below 2^-14: adding 1/2 rounds, and leaves the subnormal in the low bits
      half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000;
    else if (magnitude < 0x47800000)
      half = (magnitude - 0x38000000 + 0xFFF + ((magnitude >> 13) & 1)) >> 13;
    bits = static_cast<uint16_t>(sign | half);
  }
  explicit operator float() const {
    const uint32_t sign = uint32_t{bits & 0x8000u} << 16, magnitude = bits & 0x7FFF;
    // A subnormal is a count of 2^-24. No float32 on the way is subnormal, so kernels that flush those lose nothing.
    const uint32_t subnormal = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
    const uint32_t normal = (magnitude << 13) + (magnitude >= 0x7C00 ? 0x70000000 : 0x38000000);
    return std::bit_cast<float>(sign | (magnitude < 0x400 ? subnormal : normal));
  }
};

// Fills the host's struct in device_info, but no more than it holds: it may be shorter or longer than ours.
inline void answer(rgm_device_info* out, const rgm_device_info& info) {
  const uint32_t size = std::min<uint32_t>(out->struct_size, sizeof info);
  std::memcpy(reinterpret_cast<char*>(out) + sizeof size, reinterpret_cast<const char*>(&info) + sizeof size,
              size - sizeof size);
}

// The component to give to RGM_PLUGIN. O is the options struct; open() reads it with OptionTable<O>::read(config).
template <class O = NoOptions>
constexpr rgm_component backend(const char* id, const char* version, const char* summary, const rgm_backend* table) {
  return {sizeof(rgm_component), RGM_KIND_BACKEND, id, version, summary, OptionTable<O>::pointers.data(), table};
}

}  // namespace regimen
