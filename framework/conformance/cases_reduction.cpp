// cases_reduction.cpp - reduce, softmax, softmax_grad, cumsum, top_k: what runs along axes.
#include <fmt/format.h>

#include <functional>
#include <numeric>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

int32_t any_axis(Trial& t, const Shape& shape) {
  const auto axis = static_cast<int32_t>(t.pick(0, static_cast<int64_t>(shape.size()) - 1));
  t.say(fmt::format("axis {}", axis));
  return axis;
}

void reduce(Trial& t) {
  const int32_t op = t.index / 2 % 4 + 1;
  t.optional = op == RGM_MEAN || op == RGM_LOGSUMEXP;   // the host has them from the other two
  const bool tall = t.index >= 48 && t.index % 2 == 0;  // the gradient of a bias: columns of many rows
  const bool wide = t.index >= 48 && t.index % 2 == 1;  // the logits of a vocabulary
  const Shape shape = tall   ? Shape{t.pick(500, 2100), 4 * t.pick(8, 40)}
                      : wide ? Shape{t.pick(1, 3), t.pick(3000, 6000)}
                             : t.shape(1, 4);
  const auto all = static_cast<int64_t>(1) << shape.size();
  const auto axes = static_cast<uint32_t>(tall ? 1 : wide ? 2 : t.index % 5 == 0 ? all - 1 : t.pick(1, all - 1));
  t.say(fmt::format("operation {} axes {:#b}", op, axes));
  Shape kept = shape;
  for (size_t i = 0; i < kept.size(); ++i)
    if (axes >> i & 1) kept[i] = 1;
  // Every second line or so has a NaN, which is its maximum.
  const auto count = [](const Shape& s) { return std::accumulate(s.begin(), s.end(), 1.0, std::multiplies()); };
  const bool has_nan = op == RGM_MAXIMUM && t.index / 8 % 2 == 0;
  const Trial::Fill values = has_nan ? t.with_nan(0.7 * count(kept) / count(shape), t.normals()) : t.normals();
  const Arg x = t.in(shape, values), y = t.out(kept);
  t.run(&rgm_kernels::reduce, [=](auto f, rgm_queue* q, const Views& v) { return f(q, op, axes, v(x), v(y)); });
}

void softmax(Trial& t) {
  const Shape shape = t.shape(1, 4);
  const int32_t axis = any_axis(t, shape);
  const rgm_dtype dtype = t.one_of({RGM_F32, RGM_F32, RGM_BF16});
  // Large logits: an implementation that does not take the maximum away overflows.
  const double scale = t.one_of({1.0, 1.0, 60.0});
  const Trial::Fill large = [&t, scale] { return scale * t.normal(); };
  const Trial::Fill logits = t.index / 2 % 6 == 5 ? t.with_nan(0.05, large) : large;
  const bool in_place = t.chance(0.3);
  const Arg x = in_place ? t.inout(shape, logits, dtype) : t.in(shape, logits, dtype);
  const Arg y = in_place ? x : t.out(shape, dtype);
  t.run(&rgm_kernels::softmax, [=](auto f, rgm_queue* q, const Views& v) { return f(q, axis, v(x), v(y)); });
}

void softmax_grad(Trial& t) {
  const Shape shape = t.shape(1, 4);
  const int32_t axis = any_axis(t, shape);
  const Arg x = t.in(shape, t.normals()), y = t.prepared(shape), dy = t.in(shape, t.normals()), dx = t.out(shape);
  t.prepare([=](const rgm_kernels& k, rgm_queue* q, const Views& v) { return k.softmax(q, axis, v(x), v(y)); });
  t.run(&rgm_kernels::softmax_grad,
        [=](auto f, rgm_queue* q, const Views& v) { return f(q, axis, v(y), v(dy), v(dx)); });
}

void cumsum(Trial& t) {
  const Shape shape = t.shape(1, 4);
  const int32_t axis = any_axis(t, shape);
  const Arg x = t.in(shape, t.normals()), y = t.out(shape);
  t.run(&rgm_kernels::cumsum, [=](auto f, rgm_queue* q, const Views& v) { return f(q, axis, v(x), v(y)); });
}

void top_k(Trial& t) {
  const Shape shape = t.shape(1, 3);
  Shape best = shape;
  best.back() = t.index % 12 == 5  ? 0
                : t.index % 3 == 0 ? 1
                : t.index % 3 == 1 ? shape.back()
                                   : t.pick(1, shape.back());
  // Integers have many equals, whose order is by index.
  const Trial::Fill numbers = t.chance(0.5) ? t.integers(-5, 5) : t.normals();
  const Arg x = t.in(shape, t.index / 2 % 4 == 3 ? t.with_nan(0.1, numbers) : numbers);
  const Arg y = t.out(best), index = t.out(best, RGM_I32);
  t.exact = true;
  t.run(&rgm_kernels::top_k, [=](auto f, rgm_queue* q, const Views& v) { return f(q, v(x), v(y), v(index)); });
}

}  // namespace

Kernels reduction_cases() {
  return {{"reduce", true, 56, reduce},
          {"softmax", false, 24, softmax},
          {"softmax_grad", false, 24, softmax_grad},
          {"cumsum", false, 24, cumsum},
          {"top_k", false, 24, top_k}};
}

}  // namespace rgm::conformance
