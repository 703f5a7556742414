// elementwise.hpp - unary operations and their derivatives as functions of a vector, chosen once outside the loop.
#pragma once
#include "math.hpp"
#include "regimen/abi/tensor.h"

namespace regimen::onednn::ONEDNN_ISA {

// Calls run(f) with the vector function f of `op`; the caller has checked op.
template <class Run>
ONEDNN_INLINE void with_unary(int32_t op, Run run) {
  switch (op) {
    case RGM_NEG: return run([](Vec x) { return -x; });
    case RGM_ABS: return run([](Vec x) { return abs(x); });
    case RGM_SQUARE: return run([](Vec x) { return x * x; });
    case RGM_SQRT: return run([](Vec x) { return sqrt(x); });
    case RGM_RSQRT: return run([](Vec x) { return 1.0f / sqrt(x); });
    case RGM_EXP: return run([](Vec x) { return exp(x); });
    case RGM_EXPM1: return run([](Vec x) { return expm1(x); });
    case RGM_LOG: return run([](Vec x) { return log(x); });
    case RGM_LOG1P: return run([](Vec x) { return log1p(x); });
    case RGM_TANH: return run([](Vec x) { return tanh(x); });
    case RGM_SIGMOID: return run([](Vec x) { return sigmoid(x); });
    case RGM_SOFTPLUS: return run([](Vec x) { return softplus(x); });
    case RGM_RELU: return run([](Vec x) { return x < 0.0f ? Vec{} : x; });
    case RGM_SILU: return run([](Vec x) { return x * sigmoid(x); });
    case RGM_GELU_TANH: return run([](Vec x) { return gelu_tanh(x); });
    case RGM_GELU_ERF: return run([](Vec x) { return x * normal_cdf(x); });
    default: return;
  }
}

template <class Run>
ONEDNN_INLINE void with_derivative(int32_t op, Run run) {
  switch (op) {
    case RGM_NEG: return run([](Vec) { return splat(-1.0f); });
    case RGM_ABS: return run([](Vec x) { return abs(x) > 0.0f ? sign_of(x, splat(1.0f)) : Vec{}; });
    case RGM_SQUARE: return run([](Vec x) { return x + x; });
    case RGM_SQRT: return run([](Vec x) { return 0.5f / sqrt(x); });
    case RGM_RSQRT: return run([](Vec x) { return -0.5f / (x * sqrt(x)); });
    case RGM_EXP: return run([](Vec x) { return exp(x); });
    case RGM_EXPM1: return run([](Vec x) { return exp(x); });
    case RGM_LOG: return run([](Vec x) { return 1.0f / x; });
    case RGM_LOG1P: return run([](Vec x) { return 1.0f / (1.0f + x); });
    case RGM_TANH:  // 4 s (1 - s) of s = sigmoid(2 x): no cancellation where tanh is near 1
      return run([](Vec x) {
        const Vec e = exp(-2.0f * abs(x)), s = 1.0f / (1.0f + e);
        return 4.0f * e * s * s;
      });
    case RGM_SIGMOID:
      return run([](Vec x) {
        const Vec e = exp(-abs(x)), s = 1.0f / (1.0f + e);
        return e * s * s;
      });
    case RGM_SOFTPLUS: return run([](Vec x) { return sigmoid(x); });
    case RGM_RELU: return run([](Vec x) { return x > 0.0f ? splat(1.0f) : Vec{}; });
    case RGM_SILU:
      return run([](Vec x) {
        const Vec s = sigmoid(x);
        return s + x * s * (1.0f - s);
      });
    case RGM_GELU_TANH:  // s is 0 or 1 long before x is 100, and a square that overflows would make a NaN of 0
      return run([](Vec x) {
        const Vec z = min(x * x, splat(1e4f)), s = sigmoid(2.0f * kGeluScale * x * (1.0f + kGeluCube * z));
        return s + x * s * (1.0f - s) * (2.0f * kGeluScale) * (1.0f + 3.0f * kGeluCube * z);
      });
    case RGM_GELU_ERF: return run([](Vec x) { return normal_cdf(x) + x * 0.398942280401432678f * exp(-0.5f * x * x); });
    default: return;
  }
}

}  // namespace regimen::onednn::ONEDNN_ISA
