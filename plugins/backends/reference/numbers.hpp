// numbers.hpp - elements of any dtype as float64 or int64, which is what the reference computes in, and back. Rows are
// loaded into small buffers, so that a kernel is one loop over doubles whatever the dtypes and strides.
#pragma once
#include <cmath>
#include <limits>
#include <vector>

#include <regimen/backend.hpp>

namespace regimen::reference {

struct Bool {
  uint8_t byte = 0;
};

template <class F>
void with_type(rgm_dtype dtype, F&& f) {
  switch (dtype) {
    case RGM_F32: return f(float{});
    case RGM_F16: return f(Float16{});
    case RGM_BF16: return f(BFloat16{});
    case RGM_I32: return f(int32_t{});
    case RGM_I64: return f(int64_t{});
    case RGM_U8: return f(uint8_t{});
    case RGM_BOOL: return f(Bool{});
    default: throw Error(RGM_INVALID, "unknown dtype " + std::to_string(dtype));
  }
}

inline double widen(float x) { return x; }
inline double widen(Float16 x) { return static_cast<float>(x); }
inline double widen(BFloat16 x) { return static_cast<float>(x); }
inline int64_t widen(int32_t x) { return x; }
inline int64_t widen(int64_t x) { return x; }
inline int64_t widen(uint8_t x) { return x; }
inline int64_t widen(Bool x) { return x.byte != 0; }

// Floats to integers truncate, stop at the ends of the range, and NaN is 0. Integers to narrower ones wrap.
template <class T, class W>
T narrow(W x) {
  if constexpr (std::is_same_v<T, Bool>) {
    return {static_cast<uint8_t>(x != 0)};
  } else if constexpr (!std::is_integral_v<T>) {
    return T(static_cast<float>(x));
  } else if constexpr (std::is_floating_point_v<W>) {
    using Range = std::numeric_limits<T>;
    if (x != x) return 0;
    if (x >= static_cast<double>(Range::max())) return Range::max();
    return x <= static_cast<double>(Range::min()) ? Range::min() : static_cast<T>(x);
  } else {
    return static_cast<T>(x);
  }
}

inline bool is_integer(const rgm_view& v) { return v.dtype >= RGM_I32; }

// n elements from offset `at`, `step` apart
template <class W>
void load(const rgm_view& v, int64_t at, int64_t n, int64_t step, W* out) {
  with_type(v.dtype, [&](auto type) {
    using T = decltype(type);
    const T* p = data<const T>(v) + at;
    if (step == 1)
      for (int64_t i = 0; i < n; ++i) out[i] = static_cast<W>(widen(p[i]));
    else
      for (int64_t i = 0; i < n; ++i) out[i] = static_cast<W>(widen(p[i * step]));
  });
}
template <class W>
void store(const rgm_view& v, int64_t at, int64_t n, int64_t step, const W* in) {
  with_type(v.dtype, [&](auto type) {
    using T = decltype(type);
    T* p = data<T>(v) + at;
    for (int64_t i = 0; i < n; ++i) p[i * step] = narrow<T>(in[i]);
  });
}
inline double get(const rgm_view& v, int64_t at) {
  double x;
  load(v, at, 1, 1, &x);
  return x;
}
inline void put(const rgm_view& v, int64_t at, double x) { store(v, at, 1, 1, &x); }

// body(offsets, n, step) for pieces of rows of at most `chunk` elements, in order
inline constexpr int64_t chunk = 512;
template <size_t N, class F>
void each_chunk(const std::array<const rgm_view*, N>& views, F&& body) {
  Rows<N>(views).each([&](auto at, int64_t n, const auto& step) {
    for (int64_t done = 0; done < n; done += chunk) {
      body(at, std::min(chunk, n - done), step);
      for (size_t k = 0; k < N; ++k) at[k] += chunk * step[k];
    }
  });
}

// One axis of a view: everything else stays, and offsets count from the view's own beginning.
inline rgm_view without_axis(rgm_view v, int32_t axis) {
  v.shape[axis] = 1;
  return v;
}

// x (M, N) as float64, row-major
inline std::vector<double> matrix(const rgm_view& x) {
  std::vector<double> out(static_cast<size_t>(x.shape[0] * x.shape[1]));
  for (int64_t i = 0; i < x.shape[0]; ++i)
    load(x, i * x.stride[0], x.shape[1], x.stride[1], out.data() + i * x.shape[1]);
  return out;
}
inline rgm_view transposed(rgm_view v) {
  std::swap(v.shape[v.rank - 2], v.shape[v.rank - 1]);
  std::swap(v.stride[v.rank - 2], v.stride[v.rank - 1]);
  return v;
}

inline void require_axis(int32_t axis, const rgm_view& x, const char* kernel) {
  require(axis >= 0 && axis < x.rank,
          std::string(kernel) + ": axis " + std::to_string(axis) + " of a tensor of rank " + std::to_string(x.rank));
}
inline void require_shape(const rgm_view& v, std::initializer_list<int64_t> shape, const char* text) {
  require(static_cast<size_t>(v.rank) == shape.size() && std::equal(shape.begin(), shape.end(), v.shape), text);
}

}  // namespace regimen::reference
