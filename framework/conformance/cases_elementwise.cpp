// cases_elementwise.cpp - fill, copy, unary, unary_grad, binary, select.
#include <fmt/format.h>

#include <algorithm>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

constexpr rgm_dtype all_dtypes[] = {RGM_F32, RGM_F16, RGM_BF16, RGM_I32, RGM_I64, RGM_U8, RGM_BOOL};

rgm_dtype dtype_number(int64_t i) { return all_dtypes[i % 7]; }

// A shape of any rank; now and then one without elements
Shape any_shape(Trial& t) {
  if (t.index % 8 == 5) return {t.size(), 8 * t.pick(1, 40)};  // lines of whole vectors
  Shape shape = t.shape(0, 4);
  if (!shape.empty() && t.index % 8 == 7) shape[static_cast<size_t>(t.pick(0, shape.size() - 1))] = 0;
  return shape;
}
// Values that every dtype holds exactly
Trial::Fill small_integers(Trial& t, rgm_dtype dtype) {
  return dtype == RGM_BOOL ? t.integers(0, 1) : dtype == RGM_U8 ? t.integers(0, 200) : t.integers(-200, 200);
}
bool wants_positive(int32_t op) { return op == RGM_SQRT || op == RGM_RSQRT || op == RGM_LOG; }

// Behind the cases of usual numbers each operation has two of large ones, where a formula that is naive overflows, and
// two of one small size, where it loses its digits: held against the largest output of that size.
constexpr int usual_cases = 64, cases_of_a_kind = 2 * RGM_GELU_ERF, all_unary = usual_cases + 2 * cases_of_a_kind;
bool is_far(const Trial& t) { return t.index >= usual_cases && t.index < usual_cases + cases_of_a_kind; }
bool is_tiny(const Trial& t) { return t.index >= usual_cases + cases_of_a_kind && t.index < all_unary; }

Trial::Fill far_domain(Trial& t, int32_t op) {
  const bool overflows = op == RGM_EXP || op == RGM_EXPM1;  // in float32, from 88 on
  return t.uniforms(wants_positive(op) ? 1e-3 : op == RGM_LOG1P ? -0.5 : overflows ? -80 : -100, overflows ? 80 : 100);
}
Trial::Fill tiny_domain(Trial& t, int32_t op) {
  const double size = t.one_of({1e-4, 1e-5, 1e-6});
  t.least = 1e-3 * size;
  return [&t, op, size] { return (wants_positive(op) || t.chance(0.5) ? size : -size) * t.uniform(0.5, 1.5); };
}

// Floats that become integers: parts of ones, what lies beyond the ends of every range, and NaN
Trial::Fill beyond_integers(Trial& t) {
  return t.with_nan(0.1, [&t] {
    return t.chance(0.5) ? t.uniform(-50, 50) : t.one_of({-1e20, -3e9, -300.0, 300.0, 3e9, 1e20});
  });
}
// Where an operation is defined and neither overflows nor loses all digits
Trial::Fill domain(Trial& t, int32_t op) {
  if (is_far(t)) return far_domain(t, op);
  if (is_tiny(t)) return tiny_domain(t, op);
  switch (op) {
    case RGM_SQRT:
    case RGM_RSQRT:
    case RGM_LOG: return t.uniforms(0.1, 4);
    case RGM_LOG1P: return t.uniforms(-0.5, 4);
    default: return [&t] { return 2 * t.normal(); };
  }
}
rgm_dtype float_dtype(Trial& t) {  // mostly float32, which is required
  const rgm_dtype dtype = t.one_of({RGM_F32, RGM_F32, RGM_F32, RGM_BF16, RGM_F16});
  t.optional = t.optional || dtype != RGM_F32;
  return dtype;
}

void fill(Trial& t) {
  const rgm_dtype dtype = dtype_number(t.index / 2);
  const bool beyond = dtype > RGM_BF16 && dtype != RGM_BOOL && t.chance(0.25);
  const double value = beyond ? beyond_integers(t)() : small_integers(t, dtype)();
  t.is_new = beyond;
  const Arg y = t.out(any_shape(t), dtype);
  t.exact = true;
  t.run(&rgm_kernels::fill, [=](auto f, rgm_queue* q, const Views& v) { return f(q, value, v(y)); });
}

void copy(Trial& t) {  // every pair of dtypes, dense and with strides
  const rgm_dtype from = dtype_number(t.index / 2), to = dtype_number(t.index / 14);
  const Shape shape = any_shape(t);
  const bool truncates = from <= RGM_BF16 && to > RGM_BF16 && to != RGM_BOOL && t.chance(0.5);
  const bool rounds = from <= RGM_BF16 && to <= RGM_BF16;
  t.is_new = truncates;
  const Trial::Fill values = truncates ? beyond_integers(t)
                             : rounds  ? t.normals()
                                       : small_integers(t, std::max(from, to));
  const Arg x = t.in(shape, values, from);
  const Arg y = t.out(shape, to);
  t.exact = from == to || to > RGM_BF16;
  t.run(&rgm_kernels::copy, [=](auto f, rgm_queue* q, const Views& v) { return f(q, v(x), v(y)); });
}

void unary(Trial& t) {
  const int32_t op = t.index / 2 % RGM_GELU_ERF + 1;
  t.say(fmt::format("operation {}", op));
  const rgm_dtype dtype = is_far(t) || is_tiny(t) ? RGM_F32 : float_dtype(t);
  const Shape shape = any_shape(t);
  const bool in_place = t.chance(0.3);
  const Trial::Fill values = op == RGM_RELU ? t.with_nan(0.2, domain(t, op)) : domain(t, op);
  const Arg x = in_place ? t.inout(shape, values, dtype) : t.in(shape, values, dtype);
  const Arg y = in_place ? x : t.out(shape, dtype);
  t.run(&rgm_kernels::unary, [=](auto f, rgm_queue* q, const Views& v) { return f(q, op, v(x), v(y)); });
}

void unary_grad(Trial& t) {
  const int32_t op = t.index / 2 % RGM_GELU_ERF + 1;
  t.say(fmt::format("operation {}", op));
  const rgm_dtype dtype = is_far(t) || is_tiny(t) ? RGM_F32 : float_dtype(t);
  const Shape shape = any_shape(t);
  const bool has_corner = op == RGM_ABS || op == RGM_RELU;  // there, and of NaN, the derivative is 0
  t.is_new = has_corner;
  const Arg x = t.in(shape, has_corner ? t.with_nan(0.2, domain(t, op)) : domain(t, op), dtype);
  const bool in_place = t.chance(0.3);
  const Arg dy = in_place ? t.inout(shape, t.normals(), dtype) : t.in(shape, t.normals(), dtype);
  const Arg dx = in_place ? dy : t.out(shape, dtype);
  t.run(&rgm_kernels::unary_grad, [=](auto f, rgm_queue* q, const Views& v) { return f(q, op, v(x), v(dy), v(dx)); });
}

void binary(Trial& t) {
  const int32_t op = t.index / 2 % RGM_EQUAL + 1;
  t.say(fmt::format("operation {}", op));
  const bool integers = t.index / 18 % 2, compares = op >= RGM_LESS, in_place = t.chance(0.3) && !compares;
  const rgm_dtype dtype = integers ? RGM_I32 : float_dtype(t);
  const Shape shape = any_shape(t);
  const bool chooses = op == RGM_MIN || op == RGM_MAX;
  const Trial::Fill values = integers   ? t.integers(-9, 9)
                             : compares ? t.integers(-2, 2)
                             : chooses  ? t.with_nan(0.2, t.normals())
                                        : t.normals();
  // The divisor stays away from 0: what comes of that is not said.
  const Trial::Fill divisors = integers ? t.integers(1, 9) : t.uniforms(0.5, 2);
  const Arg a = in_place ? t.inout(shape, values, dtype) : t.in(shape, values, dtype);
  const bool over_b = !in_place && !compares && t.chance(0.3);
  const Trial::Fill seconds = op == RGM_DIV ? divisors : values;
  const Arg b = over_b ? t.inout(shape, seconds, dtype) : t.in(shape, seconds, dtype);
  const Arg y = in_place ? a : over_b ? b : t.out(shape, compares ? RGM_BOOL : dtype);
  t.run(&rgm_kernels::binary, [=](auto f, rgm_queue* q, const Views& v) { return f(q, op, v(a), v(b), v(y)); });
}

// Integers divided by -1, 0 and 1. What comes of 0 is left out, but nothing may trap.
constexpr int binary_cases = 72, zero_cases = 2;

void divide_by_zero(Trial& t) {
  t.say("integers, some divided by 0");
  const Shape shape{t.size(), t.size()};
  const Arg a = t.in(shape, t.integers(-9, 9), RGM_I32), b = t.in(shape, t.integers(-1, 1), RGM_I32);
  const Arg zero = t.dense({}, t.integers(0, 0), RGM_I32);
  const Arg is_zero = t.out(shape, RGM_BOOL), y = t.out(shape, RGM_I32);
  t.run(&rgm_kernels::binary, [](auto, rgm_queue*, const Views&) { return rgm_status{RGM_OK}; });
  t.call = [=](const rgm_kernels& k, rgm_queue* q, const Views& v) {
    rgm_view zeros = *v(b);
    zeros.data = v(zero)->data;
    std::fill_n(zeros.stride, zeros.rank, 0);
    rgm_status status = k.binary(q, RGM_DIV, v(a), v(b), v(y));
    if (status == RGM_OK) status = k.binary(q, RGM_EQUAL, v(b), &zeros, v(is_zero));
    return status == RGM_OK ? k.select(q, v(is_zero), &zeros, v(y), v(y)) : status;
  };
}

void select(Trial& t) {
  const rgm_dtype dtype = dtype_number(t.index / 2);
  const Shape shape = any_shape(t);
  const Arg c = t.in(shape, t.integers(0, 1), RGM_BOOL);
  const Arg a = t.in(shape, small_integers(t, dtype), dtype), b = t.in(shape, small_integers(t, dtype), dtype);
  const Arg y = t.out(shape, dtype);
  t.exact = true;
  t.run(&rgm_kernels::select, [=](auto f, rgm_queue* q, const Views& v) { return f(q, v(c), v(a), v(b), v(y)); });
}

}  // namespace

Kernels elementwise_cases() {
  const auto either = [](Trial& t) {
    const bool by_zero = t.index >= binary_cases && t.index < binary_cases + zero_cases;
    by_zero ? divide_by_zero(t) : binary(t);
  };
  return {{"fill", true, 14, fill},          {"copy", true, 98, copy},
          {"unary", true, all_unary, unary}, {"binary", true, binary_cases + zero_cases, either},
          {"select", true, 28, select},      {"unary_grad", false, all_unary, unary_grad}};
}

}  // namespace rgm::conformance
