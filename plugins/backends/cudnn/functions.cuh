// functions.cuh - the unary operations and their derivatives in float32.
#pragma once
#include "views.cuh"

namespace regimen::cudnn {

__device__ inline float sigmoid(float x) { return 1 / (1 + expf(-x)); }
__device__ inline float normal_cdf(float x) { return 0.5f * erfcf(-x * 0.70710678f); }
// tanh(sqrt(2 / pi) (x + 0.044715 x^3)), Hendrycks and Gimpel 2016
__device__ inline float gelu_inner(float x) { return tanhf(0.79788456f * (x + 0.044715f * x * x * x)); }

__device__ inline float function(int op, float x) {
  switch (op) {
    case RGM_NEG: return -x;
    case RGM_ABS: return fabsf(x);
    case RGM_SQUARE: return x * x;
    case RGM_SQRT: return sqrtf(x);
    case RGM_RSQRT: return 1 / sqrtf(x);
    case RGM_EXP: return expf(x);
    case RGM_EXPM1: return expm1f(x);
    case RGM_LOG: return logf(x);
    case RGM_LOG1P: return log1pf(x);
    case RGM_TANH: return tanhf(x);
    case RGM_SIGMOID: return sigmoid(x);
    case RGM_SOFTPLUS: return fmaxf(x, 0) + log1pf(expf(-fabsf(x))) + (x != x ? x : 0);
    case RGM_RELU: return x < 0 ? 0 : x;  // NaN stays NaN
    case RGM_SILU: return x * sigmoid(x);
    case RGM_GELU_TANH: return 0.5f * x * (1 + gelu_inner(x));
    case RGM_GELU_ERF: return x * normal_cdf(x);
    default: return x;
  }
}

__device__ inline float derivative(int op, float x) {
  switch (op) {
    case RGM_NEG: return -1;
    case RGM_ABS: return static_cast<float>((x > 0) - (x < 0));
    case RGM_SQUARE: return 2 * x;
    case RGM_SQRT: return 0.5f / sqrtf(x);
    case RGM_RSQRT: return -0.5f / (x * sqrtf(x));
    case RGM_EXP:
    case RGM_EXPM1: return expf(x);
    case RGM_LOG: return 1 / x;
    case RGM_LOG1P: return 1 / (1 + x);
    case RGM_TANH: {
      const float t = tanhf(x);
      return 1 - t * t;
    }
    case RGM_SIGMOID: return sigmoid(x) * sigmoid(-x);
    case RGM_SOFTPLUS: return sigmoid(x);
    case RGM_RELU: return x > 0;
    case RGM_SILU: {
      const float s = sigmoid(x);
      return s * (1 + x * (1 - s));
    }
    case RGM_GELU_TANH: {
      const float t = gelu_inner(x);
      return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.79788456f * (1 + 3 * 0.044715f * x * x);
    }
    case RGM_GELU_ERF: return normal_cdf(x) + x * 0.39894228f * expf(-x * x / 2);
    default: return 1;
  }
}

__device__ inline float combine(int op, float a, float b) {
  switch (op) {
    case RGM_ADD: return a + b;
    case RGM_SUB: return a - b;
    case RGM_MUL: return a * b;
    case RGM_DIV: return a / b;
    case RGM_MIN: return a < b || a != a ? a : b;
    case RGM_MAX: return a > b || a != a ? a : b;
    case RGM_LESS: return a < b;
    case RGM_LESS_EQUAL: return a <= b;
    default: return a == b;
  }
}
// Unsigned arithmetic wraps where int64 would overflow; division never traps.
__device__ inline int64_t combine(int op, int64_t a, int64_t b) {
  const auto u = static_cast<uint64_t>(a), w = static_cast<uint64_t>(b);
  switch (op) {
    case RGM_ADD: return static_cast<int64_t>(u + w);
    case RGM_SUB: return static_cast<int64_t>(u - w);
    case RGM_MUL: return static_cast<int64_t>(u * w);
    case RGM_DIV: return b == 0 ? 0 : b == -1 ? static_cast<int64_t>(0 - u) : a / b;
    case RGM_MIN: return a < b ? a : b;
    case RGM_MAX: return a > b ? a : b;
    case RGM_LESS: return a < b;
    case RGM_LESS_EQUAL: return a <= b;
    default: return a == b;
  }
}

}  // namespace regimen::cudnn
