// simd.hpp - vectors of float in the width of the instruction set that this file is compiled for, by compiler
// extension: arithmetic is written with operators, and only loads of a few lanes need intrinsics.
#pragma once
#include <stdint.h>
#if defined __SSE2__
#include <immintrin.h>
#endif

#ifndef ONEDNN_ISA
#define ONEDNN_ISA baseline
#endif
#define ONEDNN_INLINE inline __attribute__((always_inline))
#if defined __clang__
#define ONEDNN_UNROLL _Pragma("unroll")
#else
#define ONEDNN_UNROLL _Pragma("GCC unroll 32")
#endif

namespace regimen::onednn::ONEDNN_ISA {

#if defined __AVX512F__
inline constexpr int kLanes = 16;
#elif defined __AVX2__
inline constexpr int kLanes = 8;
#else
inline constexpr int kLanes = 4;
#endif
typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef int32_t Int __attribute__((vector_size(kLanes * 4)));
typedef uint32_t Word __attribute__((vector_size(kLanes * 4)));

ONEDNN_INLINE Vec load(const float* p) {
  Vec v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
ONEDNN_INLINE void store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof v); }

// The first n lanes, 0 < n < kLanes; the others are 0.
ONEDNN_INLINE Vec load(const float* p, int64_t n) {
#if defined __AVX512F__
  return (Vec)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
#else
  Vec v = {};
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
ONEDNN_INLINE void store(float* p, Vec v, int64_t n) {
#if defined __AVX512F__
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), (__m512)v);
#else
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
#endif
}

// bfloat16 as float32
ONEDNN_INLINE Vec load(const uint16_t* p) {
#if defined __AVX512F__
  return (Vec)((Word)_mm512_maskz_cvtepu16_epi32(0xFFFF, _mm256_loadu_si256((const __m256i*)p)) << 16);
#elif defined __AVX2__
  return (Vec)((Word)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)) << 16);
#else
  Word bits;
  for (int i = 0; i < kLanes; ++i) bits[i] = static_cast<uint32_t>(p[i]) << 16;
  return (Vec)bits;
#endif
}
ONEDNN_INLINE Vec load(const uint16_t* p, int64_t n) {
#if defined __AVX512F__
  const __m256i halves = _mm256_maskz_loadu_epi16(static_cast<__mmask16>((1u << n) - 1), p);
  return (Vec)((Word)_mm512_maskz_cvtepu16_epi32(0xFFFF, halves) << 16);
#else
  uint16_t all[kLanes] = {};
  for (int64_t i = 0; i < n; ++i) all[i] = p[i];
  return load(all);
#endif
}

ONEDNN_INLINE Vec splat(float x) { return x - Vec{}; }
ONEDNN_INLINE Vec max(Vec a, Vec b) { return a > b ? a : b; }
ONEDNN_INLINE Vec min(Vec a, Vec b) { return a < b ? a : b; }
ONEDNN_INLINE Vec maximum(Vec a, Vec b) { return ((b != b) | (a < b)) ? b : a; }  // NaN stays
ONEDNN_INLINE Vec abs(Vec a) { return (Vec)((Int)a & 0x7FFFFFFF); }
ONEDNN_INLINE Vec sign_of(Vec a, Vec magnitude) { return (Vec)(((Int)a & INT32_MIN) | (Int)magnitude); }
ONEDNN_INLINE Vec sqrt(Vec a) {
#if defined __AVX512F__
  return (Vec)_mm512_maskz_sqrt_ps(0xFFFF, (__m512)a);  // the unmasked one warns in gcc 12
#elif defined __AVX2__
  return (Vec)_mm256_sqrt_ps((__m256)a);
#else
  for (int i = 0; i < kLanes; ++i) a[i] = __builtin_sqrtf(a[i]);
  return a;
#endif
}

template <int... J>
struct LaneList {};
template <int N, int... J>
struct Lanes : Lanes<N - 1, N - 1, J...> {};
template <int... J>
struct Lanes<0, J...> {
  using List = LaneList<J...>;
};

// Folds a vector in halves, always the same ones: the order of a sum is fixed.
template <int S, class F, int... J>
ONEDNN_INLINE Vec fold(Vec v, F f, LaneList<J...> list) {
  if constexpr (S == 0)
    return v;
  else
    return fold<S / 2>(f(v, __builtin_shufflevector(v, v, (J ^ S)...)), f, list);
}
ONEDNN_INLINE float sum(Vec v) {
  return fold<kLanes / 2>(
      v, [](Vec a, Vec b) { return a + b; }, Lanes<kLanes>::List{})[0];
}
ONEDNN_INLINE float maximum(Vec v) {
  return fold<kLanes / 2>(
      v, [](Vec a, Vec b) { return maximum(a, b); }, Lanes<kLanes>::List{})[0];
}

// f(vector of each input) for n elements; the last few go through a part of a vector.
template <class F>
ONEDNN_INLINE void map(const float* x, float* y, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, f(load(x + i)));
  if (i < n) store(y + i, f(load(x + i, n - i)), n - i);
}
template <class F>
ONEDNN_INLINE void map(const float* a, const float* b, float* y, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, f(load(a + i), load(b + i)));
  if (i < n) store(y + i, f(load(a + i, n - i), load(b + i, n - i)), n - i);
}

}  // namespace regimen::onednn::ONEDNN_ISA
