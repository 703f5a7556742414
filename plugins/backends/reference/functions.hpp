// functions.hpp - the unary operations and their derivatives in float64. With an operation chosen once outside of a
// loop, as a template argument, the loop itself stays small.
#pragma once
#include <cmath>
#include <numbers>
#include <string>

#include <regimen/backend.hpp>

namespace regimen::reference {

constexpr double gelu_slope = 0.044715;            // of the tanh form, Hendrycks and Gimpel 2016
constexpr double gelu_scale = 0.7978845608028654;  // sqrt(2 / pi)

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
inline double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
inline double normal_pdf(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }

inline double function(int32_t op, double x) {
  switch (op) {
    case RGM_NEG: return -x;
    case RGM_ABS: return std::abs(x);
    case RGM_SQUARE: return x * x;
    case RGM_SQRT: return std::sqrt(x);
    case RGM_RSQRT: return 1 / std::sqrt(x);
    case RGM_EXP: return std::exp(x);
    case RGM_EXPM1: return std::expm1(x);
    case RGM_LOG: return std::log(x);
    case RGM_LOG1P: return std::log1p(x);
    case RGM_TANH: return std::tanh(x);
    case RGM_SIGMOID: return sigmoid(x);
    case RGM_SOFTPLUS: return softplus(x);
    case RGM_RELU: return x < 0 ? 0 : x;  // NaN stays NaN
    case RGM_SILU: return x * sigmoid(x);
    case RGM_GELU_TANH: return 0.5 * x * (1 + std::tanh(gelu_scale * (x + gelu_slope * x * x * x)));
    case RGM_GELU_ERF: return x * normal_cdf(x);
    default: return x;
  }
}

// At the corner of ABS and RELU, 0.
inline double derivative(int32_t op, double x) {
  switch (op) {
    case RGM_NEG: return -1;
    case RGM_ABS: return (x > 0) - (x < 0);
    case RGM_SQUARE: return 2 * x;
    case RGM_SQRT: return 0.5 / std::sqrt(x);
    case RGM_RSQRT: return -0.5 / (x * std::sqrt(x));
    case RGM_EXP: return std::exp(x);
    case RGM_EXPM1: return std::exp(x);
    case RGM_LOG: return 1 / x;
    case RGM_LOG1P: return 1 / (1 + x);
    case RGM_TANH: return 1 - std::tanh(x) * std::tanh(x);
    case RGM_SIGMOID: return sigmoid(x) * sigmoid(-x);
    case RGM_SOFTPLUS: return sigmoid(x);
    case RGM_RELU: return x > 0;
    case RGM_SILU: return sigmoid(x) * (1 + x * sigmoid(-x));
    case RGM_GELU_TANH: {
      const double t = std::tanh(gelu_scale * (x + gelu_slope * x * x * x));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * gelu_scale * (1 + 3 * gelu_slope * x * x);
    }
    case RGM_GELU_ERF: return normal_cdf(x) + x * normal_pdf(x);
    default: return 1;
  }
}

inline void require_unary(int32_t op, const char* kernel) {
  if (op < RGM_NEG || op > RGM_GELU_ERF) unsupported(std::string(kernel) + ": operation " + std::to_string(op));
}

}  // namespace regimen::reference
