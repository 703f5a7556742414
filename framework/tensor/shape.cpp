// shape.cpp - views and broadcasting.
#include "tensor/shape.hpp"

#include <fmt/ranges.h>

namespace rgm {

std::string Shape::text() const { return fmt::format("({})", fmt::join(begin(), end(), ", ")); }
void Shape::too_large() const { invalid("a tensor of shape {} has more elements than any memory holds", text()); }

size_t bytes_of(rgm_dtype dtype) {
  switch (dtype) {
    case RGM_F32:
    case RGM_I32: return 4;
    case RGM_F16:
    case RGM_BF16: return 2;
    case RGM_I64: return 8;
    case RGM_U8:
    case RGM_BOOL: return 1;
    default: invalid("{} is not a data type", dtype);
  }
}

const char* name_of(rgm_dtype dtype) {
  switch (dtype) {
    case RGM_F32: return "float32";
    case RGM_F16: return "float16";
    case RGM_BF16: return "bfloat16";
    case RGM_I32: return "int32";
    case RGM_I64: return "int64";
    case RGM_U8: return "uint8";
    case RGM_BOOL: return "bool";
    default: return "unknown";
  }
}

bool is_float(rgm_dtype dtype) { return dtype == RGM_F32 || dtype == RGM_F16 || dtype == RGM_BF16; }

rgm_view dense_view(const Shape& shape, rgm_dtype dtype, void* data) {
  rgm_view v{data, dtype, shape.rank(), {}, {}};
  std::copy(shape.begin(), shape.end(), v.shape);
  for (int64_t i = v.rank, step = 1; i-- > 0; step *= v.shape[i]) v.stride[i] = step;
  return v;
}

int64_t count_of(const rgm_view& v) { return Shape(v).count(); }

bool is_contiguous(const rgm_view& v) {
  int64_t step = 1;
  for (int32_t i = v.rank; i-- > 0; step *= v.shape[i])
    if (v.shape[i] != 1 && v.stride[i] != step) return count_of(v) == 0;
  return true;
}

Shape broadcast(const Shape& a, const Shape& b, const char* what) {
  Shape out = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  const int32_t offset = out.rank() - shorter.rank();
  for (int32_t i = 0; i < shorter.rank(); ++i) {
    int64_t& size = out[i + offset];
    if (size == shorter[i] || shorter[i] == 1) continue;
    require(size == 1, "{}: shapes {} and {} do not broadcast", what, a.text(), b.text());
    size = shorter[i];
  }
  return out;
}

rgm_view broadcast_to(const rgm_view& v, const Shape& shape) {
  rgm_view out = dense_view(shape, v.dtype, v.data);
  const int32_t offset = shape.rank() - v.rank;
  for (int32_t i = 0; i < shape.rank(); ++i) {
    const bool own = i >= offset && v.shape[i - offset] == shape[i];
    out.stride[i] = own ? v.stride[i - offset] : 0;
  }
  return out;
}

}  // namespace rgm
