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
// Where an operation is defined and neither overflows nor loses all digits
Trial::Fill domain(Trial& t, int32_t op) {
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
  const double value = small_integers(t, dtype)();
  const Arg y = t.out(any_shape(t), dtype);
  t.exact = true;
  t.run(&rgm_kernels::fill, [=](auto f, rgm_queue* q, const Views& v) { return f(q, value, v(y)); });
}

void copy(Trial& t) {  // every pair of dtypes, dense and with strides
  const rgm_dtype from = dtype_number(t.index / 2), to = dtype_number(t.index / 14);
  const Shape shape = any_shape(t);
  const bool truncates = from <= RGM_BF16 && to == RGM_I32 && t.chance(0.5);
  const bool rounds = from <= RGM_BF16 && to <= RGM_BF16;
  const Trial::Fill values = truncates ? t.uniforms(-50, 50)
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
  const rgm_dtype dtype = float_dtype(t);
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
  const rgm_dtype dtype = float_dtype(t);
  const Shape shape = any_shape(t);
  const Arg x = t.in(shape, domain(t, op), dtype);
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
  return {{"fill", true, 14, fill},     {"copy", true, 98, copy},
          {"unary", true, 64, unary},   {"binary", true, binary_cases + zero_cases, either},
          {"select", true, 28, select}, {"unary_grad", false, 64, unary_grad}};
}

}  // namespace rgm::conformance
