// math.hpp - elementary functions on vectors, by polynomial. Relative error against float64 below 3e-7 wherever the
// result is a normal number (log near 1, expm1 and log1p near 0 included); infinities and NaN as in libm.
#pragma once
#include "simd.hpp"

namespace regimen::onednn::ONEDNN_ISA {

inline constexpr float kInfinity = __builtin_inff();

// 2^n r with r = x - n ln 2, by Cephes' expf. 2^n in two factors, so that the whole range of results is reached.
ONEDNN_INLINE Vec exp(Vec x) {
  x = x < -104.0f ? splat(-104.0f) : x;
  x = x > 89.0f ? splat(89.0f) : x;
  const Vec t = x * 1.44269504088896341f;
  const Int n = __builtin_convertvector(t + sign_of(t, splat(0.5f)), Int);
  const Vec whole = __builtin_convertvector(n, Vec);
  const Vec r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  Vec p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const Int half = n >> 1;
  return p * (Vec)((half + 127) << 23) * (Vec)((n - half + 127) << 23);
}

ONEDNN_INLINE Vec expm1(Vec x) {
  Vec p = splat(1.0f / 40320);
  p = p * x + 1.0f / 5040;
  p = p * x + 1.0f / 720;
  p = p * x + 1.0f / 120;
  p = p * x + 1.0f / 24;
  p = p * x + 1.0f / 6;
  p = p * x + 0.5f;
  const Vec near = p * (x * x) + x;
  return abs(x) < 0.4f ? near : exp(x) - 1.0f;
}

// Cephes' logf: x = 2^e m with m in [sqrt(1/2), sqrt(2)).
ONEDNN_INLINE Vec log(Vec x) {
  const Int bits = (Int)x;
  Int e = (bits >> 23) - 126;
  Vec m = (Vec)((bits & 0x7FFFFF) | 0x3F000000);
  const Int small = m < 0.707106781186547524f;
  e += small;  // true is -1
  m = (small ? m + m : m) - 1.0f;
  const Vec z = m * m, whole = __builtin_convertvector(e, Vec);
  Vec p = splat(7.0376836292e-2f);
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  Vec y = p * m * z + whole * -2.12194440e-4f - 0.5f * z;
  y = m + y + whole * 0.693359375f;
  y = x == kInfinity ? x : y;
  y = x == 0.0f ? splat(-kInfinity) : y;
  return x >= 0.0f ? y : splat(__builtin_nanf(""));
}
ONEDNN_INLINE Vec log1p(Vec x) {
  const Vec u = x + 1.0f;
  const Vec y = log(u) + (x - (u - 1.0f)) / u;  // what rounding lost in u
  return ((u == 0.0f) | (x == kInfinity)) ? log(u) : y;
}

ONEDNN_INLINE Vec sigmoid(Vec x) { return 1.0f / (1.0f + exp(-x)); }
ONEDNN_INLINE Vec tanh(Vec x) {
  const Vec z = x * x, far = 1.0f - 2.0f / (exp(2.0f * abs(x)) + 1.0f);
  Vec p = splat(-5.70498872745e-3f);
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  return abs(x) < 0.625f ? p * z * x + x : sign_of(x, far);
}
ONEDNN_INLINE Vec softplus(Vec x) { return max(x, Vec{}) + log1p(exp(-abs(x))); }

// erfc of z >= 0 with relative error 1.2e-7 (Press et al., Numerical Recipes, 6.2)
ONEDNN_INLINE Vec erfc(Vec z) {
  const Vec t = 1.0f / (1.0f + 0.5f * z);
  Vec p = splat(0.17087277f);
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  return t * exp(p - z * z);
}
ONEDNN_INLINE Vec normal_cdf(Vec x) {  // without cancellation on the left
  const Vec tail = 0.5f * erfc(abs(x) * 0.70710678118654752f);
  return x < 0.0f ? tail : 1.0f - tail;
}

inline constexpr float kGeluScale = 0.797884560802865356f, kGeluCube = 0.044715f;
// x / 2 (1 + tanh(u)) = x sigmoid(2 u) keeps its digits where tanh is near -1
ONEDNN_INLINE Vec gelu_tanh(Vec x) { return x * sigmoid(2.0f * kGeluScale * (x + kGeluCube * x * x * x)); }

}  // namespace regimen::onednn::ONEDNN_ISA
