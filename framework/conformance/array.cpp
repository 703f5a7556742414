// array.cpp - memory of an argument: strides for a layout, elements as float64 from and to every dtype, and poison.
#include "array.hpp"

#include <bit>
#include <cmath>
#include <cstring>

namespace rgm::conformance {
namespace {

constexpr size_t tail = 64;  // bytes behind the last element that must stay as they are

float from_bfloat16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }
uint16_t to_bfloat16(float x) {  // to nearest, ties to even; of NaN only NAN comes here, whose upper half is one, too
  const uint32_t u = std::bit_cast<uint32_t>(x);
  return static_cast<uint16_t>((u + 0x7FFF + ((u >> 16) & 1)) >> 16);
}
float from_float16(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double mantissa = bits & 1023;
  const double magnitude = exponent == 31  ? (mantissa > 0 ? NAN : INFINITY)
                           : exponent == 0 ? std::ldexp(mantissa, -24)
                                           : std::ldexp(1024 + mantissa, exponent - 25);
  return static_cast<float>(bits >> 15 ? -magnitude : magnitude);
}
uint16_t to_float16(double x) {
  if (std::isnan(x)) return 0x7E00;
  const double magnitude = std::abs(x);
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int step = std::max(exponent - 11, -24);  // of the last bit
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(magnitude, -step)));
  const uint32_t half = static_cast<uint32_t>(step + 24) * 1024 + units;  // a carry runs into the exponent as it should
  return static_cast<uint16_t>((std::signbit(x) ? 0x8000u : 0u) | std::min(half, 0x7C00u));
}

template <class T>
T read(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
template <class T>
void write(std::byte* p, T value) {
  std::memcpy(p, &value, sizeof value);
}

}  // namespace

size_t size_of(rgm_dtype dtype) {
  switch (dtype) {
    case RGM_F32:
    case RGM_I32: return 4;
    case RGM_F16:
    case RGM_BF16: return 2;
    case RGM_I64: return 8;
    default: return 1;
  }
}
bool is_float(rgm_dtype dtype) { return dtype <= RGM_BF16; }

double Array::get(const Bytes& memory, int64_t element) const {
  const std::byte* p = memory.data() + static_cast<size_t>(offset + element) * size_of(view.dtype);
  switch (view.dtype) {
    case RGM_F32: return read<float>(p);
    case RGM_F16: return from_float16(read<uint16_t>(p));
    case RGM_BF16: return from_bfloat16(read<uint16_t>(p));
    case RGM_I32: return read<int32_t>(p);
    case RGM_I64: return static_cast<double>(read<int64_t>(p));
    default: return read<uint8_t>(p);
  }
}

void Array::set(int64_t element, double value) {
  std::byte* p = initial.data() + static_cast<size_t>(offset + element) * size_of(view.dtype);
  switch (view.dtype) {
    case RGM_F32: return write(p, static_cast<float>(value));
    case RGM_F16: return write(p, to_float16(value));
    case RGM_BF16: return write(p, to_bfloat16(static_cast<float>(value)));
    case RGM_I32: return write(p, static_cast<int32_t>(value));
    case RGM_I64: return write(p, static_cast<int64_t>(value));
    case RGM_BOOL: return write(p, static_cast<uint8_t>(value != 0));
    default: return write(p, static_cast<uint8_t>(value));
  }
}

void each_element(const rgm_view& view, const std::function<void(int64_t)>& body) {
  const std::function<void(int32_t, int64_t)> walk = [&](int32_t axis, int64_t at) {
    if (axis == view.rank) return body(at);
    for (int64_t i = 0; i < view.shape[axis]; ++i) walk(axis + 1, at + i * view.stride[axis]);
  };
  walk(0, 0);
}

Array make_array(const Shape& shape, rgm_dtype dtype, const Layout& layout) {
  Array a;
  a.view.dtype = dtype;
  a.view.rank = static_cast<int32_t>(shape.size());
  a.offset = layout.offset;
  int64_t step = 1 + layout.gap;
  for (size_t k = shape.size(); k-- > 0;) {
    const auto axis = static_cast<size_t>(layout.order.empty() ? static_cast<int>(k) : layout.order[k]);
    const bool repeated = layout.repeated >> axis & 1;
    a.view.shape[axis] = shape[axis];
    a.view.stride[axis] = repeated ? 0 : step;
    if (!repeated) step = step * std::max<int64_t>(shape[axis], 1) + layout.gap;
    if (k + 1 == shape.size()) step += layout.behind;
  }
  a.initial.assign(static_cast<size_t>(a.offset + step) * size_of(dtype) + tail, std::byte{0xFF});
  return a;
}

}  // namespace rgm::conformance
