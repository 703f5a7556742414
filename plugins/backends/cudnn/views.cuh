// views.cuh - views on the device: merged axes, elements of any dtype as float or int64, and loops over them.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include "device.hpp"

namespace regimen::cudnn {

using BF16 = __nv_bfloat16;
using F16 = __half;

constexpr bool is_float(rgm_dtype d) { return d == RGM_F32 || d == RGM_F16 || d == RGM_BF16; }

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(BF16 x) { return __bfloat162float(x); }
__device__ inline float to_float(F16 x) { return __half2float(x); }
template <class T>
__device__ T from_float(float x);
template <>
__device__ inline float from_float<float>(float x) {
  return x;
}
template <>
__device__ inline BF16 from_float<BF16>(float x) {
  return __float2bfloat16(x);
}
template <>
__device__ inline F16 from_float<F16>(float x) {
  return __float2half(x);
}

template <class T>
inline constexpr T least_of = std::numeric_limits<T>::min();
template <class T>
inline constexpr T most_of = std::numeric_limits<T>::max();

// Floats to integers truncate, stop at the ends of the range, and NaN is 0. Integers to narrower ones wrap.
template <class To, class From>
__device__ inline To to_integer(From x) {
  if constexpr (std::is_floating_point_v<From>) {
    constexpr To least = least_of<To>, most = most_of<To>;
    if (x != x) return 0;
    if (x >= static_cast<From>(most)) return most;
    return x <= static_cast<From>(least) ? least : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

// An element of any dtype: the switch is the same for all threads. Each is complete by itself, as functions that call
// each other would keep the arguments in memory.
struct Any {
  void* data;
  rgm_dtype dtype;
  template <class To>
  __device__ To get(int64_t i) const {
    switch (dtype) {
      case RGM_F32: return static_cast<To>(static_cast<const float*>(data)[i]);
      case RGM_BF16: return static_cast<To>(to_float(static_cast<const BF16*>(data)[i]));
      case RGM_F16: return static_cast<To>(to_float(static_cast<const F16*>(data)[i]));
      case RGM_I32: return static_cast<To>(static_cast<const int32_t*>(data)[i]);
      case RGM_I64: return static_cast<To>(static_cast<const int64_t*>(data)[i]);
      case RGM_U8: return static_cast<To>(static_cast<const uint8_t*>(data)[i]);
      default: return static_cast<To>(static_cast<const uint8_t*>(data)[i] != 0);  // RGM_BOOL
    }
  }
  __device__ float number(int64_t i) const { return get<float>(i); }
  __device__ int64_t integer(int64_t i) const { return get<int64_t>(i); }
  template <class From>
  __device__ void put(int64_t i, From x) const {
    switch (dtype) {
      case RGM_F32: static_cast<float*>(data)[i] = static_cast<float>(x); break;
      case RGM_BF16: static_cast<BF16*>(data)[i] = from_float<BF16>(static_cast<float>(x)); break;
      case RGM_F16: static_cast<F16*>(data)[i] = from_float<F16>(static_cast<float>(x)); break;
      case RGM_I32: static_cast<int32_t*>(data)[i] = to_integer<int32_t>(x); break;
      case RGM_I64: static_cast<int64_t*>(data)[i] = to_integer<int64_t>(x); break;
      case RGM_U8: static_cast<uint8_t*>(data)[i] = to_integer<uint8_t>(x); break;
      default: static_cast<uint8_t*>(data)[i] = x != 0;
    }
  }
};
inline Any any(const rgm_view& v) { return {v.data, v.dtype}; }

// Axes that N views share, neighbours merged where every view allows it.
template <int N>
struct Axes {
  int rank = 0;
  int64_t count = 1;
  int64_t size[8]{};
  int64_t stride[N][8]{};

  __host__ __device__ bool flat() const { return rank <= 1; }
  // Where element `i`, in row-major order, lies in each view.
  __device__ void at(int64_t i, int64_t (&offset)[N]) const {
#pragma unroll
    for (int k = 0; k < N; ++k) offset[k] = 0;
    if (count <= INT32_MAX) {
      auto rest = static_cast<uint32_t>(i);
      for (int a = rank; a-- > 0;) {
        const auto n = static_cast<uint32_t>(size[a]), here = rest % n;
        rest /= n;
#pragma unroll
        for (int k = 0; k < N; ++k) offset[k] += here * stride[k][a];
      }
      return;
    }
    for (int a = rank; a-- > 0;) {
      const int64_t here = i % size[a];
      i /= size[a];
#pragma unroll
      for (int k = 0; k < N; ++k) offset[k] += here * stride[k][a];
    }
  }
};

template <int N>
void add_axis(Axes<N>& axes, int64_t n, const int64_t (&stride)[N]) {
  axes.count *= n;
  if (n == 1) return;
  const int last = axes.rank - 1;
  bool merges = last >= 0;
  for (int k = 0; merges && k < N; ++k) merges = axes.stride[k][last] == stride[k] * n;
  if (merges) {
    axes.size[last] *= n;
    for (int k = 0; k < N; ++k) axes.stride[k][last] = stride[k];
    return;
  }
  axes.size[axes.rank] = n;
  for (int k = 0; k < N; ++k) axes.stride[k][axes.rank] = stride[k];
  ++axes.rank;
}

// The axes of views of one shape that `wanted` picks (a bit each).
template <int N>
Axes<N> axes_of(const std::array<const rgm_view*, N>& views, uint32_t wanted = ~0u) {
  Axes<N> axes;
  for (const rgm_view* v : views) require(same_shape(*v, *views[0]), "views of different shapes");
  for (int32_t i = 0; i < views[0]->rank; ++i) {
    if (!(wanted >> i & 1)) continue;
    int64_t stride[N];
    for (int k = 0; k < N; ++k) stride[k] = views[static_cast<size_t>(k)]->stride[i];
    add_axis(axes, views[0]->shape[i], stride);
  }
  return axes;
}

constexpr int threads_in_block = 256;
inline unsigned blocks_for(int64_t n, int64_t each = threads_in_block) {
  return static_cast<unsigned>(std::min<int64_t>((n + each - 1) / each, 1 << 20));
}

template <int N, class F>
__global__ void each_kernel(Axes<N> axes, F f) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < axes.count; i += step) {
    int64_t offset[N];
    axes.at(i, offset);
    f(i, offset);
  }
}
// f(number of the element, offsets) for each element; F is a struct with a __device__ operator().
template <int N, class F>
void each(rgm_queue* q, const Axes<N>& axes, F f) {
  if (axes.count == 0) return;
  each_kernel<N, F><<<blocks_for(axes.count), threads_in_block, 0, q->stream>>>(axes, f);
}

// body(T{}) for the float type that `dtype` is.
template <class F>
void with_float(rgm_dtype dtype, const char* kernel, F&& body) {
  switch (dtype) {
    case RGM_F32: return body(float{});
    case RGM_BF16: return body(BF16{});
    default: unsupported(std::string(kernel) + ": float32 or bfloat16");
  }
}

// Four neighbours, read or written at once.
template <class T>
struct alignas(4 * sizeof(T)) Four {
  T at[4];
};
template <class T>
struct alignas(sizeof(T) > 2 ? 16 : 8 * sizeof(T)) Eight {
  T at[8];
};
template <class T>
bool reads_fours(const T* p) {
  return reinterpret_cast<uintptr_t>(p) % sizeof(Four<T>) == 0;
}

// Sums or maxima over a block of whole warps, the same on every thread and in the same order every time.
struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Max {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};
template <class T, class F>
__device__ T over_warp(T x, F f) {
#pragma unroll
  for (int i = 16; i > 0; i /= 2) x = f(x, __shfl_xor_sync(0xFFFFFFFF, x, i));
  return x;
}
template <class T, class F>
__device__ T over_block(T x, F f) {
  __shared__ T warps[32];
  x = over_warp(x, f);
  __syncthreads();
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  x = warps[0];
  for (int i = 1; i < static_cast<int>(blockDim.x / 32); ++i) x = f(x, warps[i]);
  return x;
}

}  // namespace regimen::cudnn
