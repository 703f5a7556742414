// composed_elementwise.cpp - the gradients of the unary operations, by their formulas.
#include <cmath>
#include <numbers>

#include "tensor/composed.hpp"

namespace rgm::composed {
namespace {

using namespace ops;

Tensor number(double value) { return full({}, value); }
Tensor above_zero(const Tensor& x, const Tensor& yes, const Tensor& no) {
  return select(binary(RGM_LESS, number(0), x), yes, no);
}

// 0.5 x (1 + t), t = tanh(c (x + a x^3))
Tensor gelu_tanh_slope(const Tensor& x) {
  const double c = std::sqrt(2 / std::numbers::pi), a = 0.044715;
  const Tensor square = unary(RGM_SQUARE, x), t = unary(RGM_TANH, affine(square, c * a, c) * x);
  return affine(t, 0.5, 0.5) + 0.5 * (x * affine(unary(RGM_SQUARE, t), -1, 1)) * affine(square, 3 * a * c, c);
}

// F + x f with F and f the normal distribution and density. F = gelu(x) / x; near 0, where that loses all digits, its
// tangent, which is off by x^3 / 15 at most.
Tensor gelu_erf_slope(const Tensor& x) {
  const double density_at_zero = 1 / std::sqrt(2 * std::numbers::pi);
  const Tensor small = binary(RGM_LESS, unary(RGM_ABS, x), number(1e-3));
  const Tensor distribution = select(small, affine(x, density_at_zero, 0.5), unary(RGM_GELU_ERF, x) / x);
  return distribution + density_at_zero * (x * exp(-0.5 * unary(RGM_SQUARE, x)));
}

Tensor slope(int32_t op, const Tensor& x) {
  switch (op) {
    case RGM_NEG: return full(x.shape(), -1);
    case RGM_ABS: return above_zero(x, number(1), above_zero(-x, number(-1), number(0)));
    case RGM_SQUARE: return 2 * x;
    case RGM_SQRT: return 0.5 * unary(RGM_RSQRT, x);
    case RGM_RSQRT: return -0.5 * (unary(RGM_RSQRT, x) / x);
    case RGM_EXP:
    case RGM_EXPM1: return exp(x);
    case RGM_LOG: return number(1) / x;
    case RGM_LOG1P: return number(1) / (x + 1);
    case RGM_TANH: return affine(unary(RGM_SQUARE, unary(RGM_TANH, x)), -1, 1);
    case RGM_SIGMOID: return unary(RGM_SIGMOID, x) * unary(RGM_SIGMOID, -x);
    case RGM_SOFTPLUS: return unary(RGM_SIGMOID, x);
    case RGM_RELU: return above_zero(x, number(1), number(0));
    case RGM_SILU: return unary(RGM_SIGMOID, x) * (x * unary(RGM_SIGMOID, -x) + 1);
    case RGM_GELU_TANH: return gelu_tanh_slope(x);
    case RGM_GELU_ERF: return gelu_erf_slope(x);
    default: invalid("unary: {} is not an operation", op);
  }
}

}  // namespace

Tensor unary_gradient(int32_t op, const Tensor& x, const Tensor& dy) { return dy * slope(op, x); }

}  // namespace rgm::composed
