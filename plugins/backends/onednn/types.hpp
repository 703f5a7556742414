// types.hpp - element types: the switch from rgm_dtype to a C++ type, and the conversions that copy promises.
#pragma once
#include <limits>
#include <type_traits>

#include "regimen/backend.hpp"

namespace regimen::onednn {
// f(T{}) with the type of the elements.
template <class F>
void with_type(rgm_dtype dtype, F&& f) {
  switch (dtype) {
    case RGM_F32: return f(float{});
    case RGM_F16: return f(Float16{});
    case RGM_BF16: return f(BFloat16{});
    case RGM_I32: return f(int32_t{});
    case RGM_I64: return f(int64_t{});
    case RGM_U8: return f(uint8_t{});
    case RGM_BOOL: return f(bool{});
    default: throw Error(RGM_UNSUPPORTED, "onednn: unknown element type " + std::to_string(dtype));
  }
}

// f(T{}) with an unsigned integer of the elements' size, where values only move.
template <class F>
void with_size(rgm_dtype dtype, F&& f) {
  switch (size_of(dtype)) {
    case 1: return f(uint8_t{});
    case 2: return f(uint16_t{});
    case 4: return f(uint32_t{});
    case 8: return f(uint64_t{});
    default: throw Error(RGM_UNSUPPORTED, "onednn: unknown element type " + std::to_string(dtype));
  }
}

template <class T>
inline constexpr bool is_half = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

// Floats to integers truncate, stop at the ends of the range, and NaN is 0. Integers to narrower ones wrap.
template <class To, class From>
To convert_to(From x) {
  if constexpr (std::is_same_v<To, From>)
    return x;
  else if constexpr (is_half<From>)
    return convert_to<To>(static_cast<float>(x));
  else if constexpr (is_half<To>)
    return To(static_cast<float>(x));
  else if constexpr (std::is_same_v<To, bool>)
    return x != From{};
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    using Range = std::numeric_limits<To>;
    if (x != x) return 0;
    if (x >= static_cast<From>(Range::max())) return Range::max();
    return x <= static_cast<From>(Range::min()) ? Range::min() : static_cast<To>(x);
  } else
    return static_cast<To>(x);
}

}  // namespace regimen::onednn
