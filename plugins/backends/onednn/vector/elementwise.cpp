// elementwise.cpp - unary and binary operations on stretches without gaps, and what a linear layer does after its
// product.
#include "elementwise.hpp"

#include "kernels.hpp"

namespace regimen::onednn::ONEDNN_ISA {

void unary(int32_t op, const float* x, float* y, int64_t n) {
  with_unary(op, [=](auto f) { map(x, y, n, f); });
}
void unary_grad(int32_t op, const float* x, const float* dy, float* dx, int64_t n) {
  with_derivative(op, [=](auto f) { map(x, dy, dx, n, [f](Vec v, Vec d) { return d * f(v); }); });
}

namespace {
template <class F>
ONEDNN_INLINE void zip(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n, F f) {
  if (a_step && b_step) return map(a, b, y, n, f);
  if (a_step) return map(a, y, n, [f, s = splat(*b)](Vec v) { return f(v, s); });
  if (b_step) return map(b, y, n, [f, s = splat(*a)](Vec v) { return f(s, v); });
  const Vec s = f(splat(*a), splat(*b));
  for (int64_t i = 0; i < n; ++i) y[i] = s[0];
}
}  // namespace

void binary(int32_t op, const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n) {
  const auto run = [=](auto f) { zip(a, a_step, b, b_step, y, n, f); };
  switch (op) {
    case RGM_ADD: return run([](Vec u, Vec v) { return u + v; });
    case RGM_SUB: return run([](Vec u, Vec v) { return u - v; });
    case RGM_MUL: return run([](Vec u, Vec v) { return u * v; });
    case RGM_DIV: return run([](Vec u, Vec v) { return u / v; });
    case RGM_MIN: return run([](Vec u, Vec v) { return ((v != v) | (v < u)) ? v : u; });
    case RGM_MAX: return run([](Vec u, Vec v) { return maximum(u, v); });
    default: return;
  }
}

void epilogue(const EpilogueRow& r) {
  const auto run = [&r](auto f) {
    const auto step = [&r, f](int64_t i, auto get, auto put) {
      Vec s = get(r.sum + i);
      if (r.bias) s += get(r.bias + i);
      if (r.aux) put(r.aux + i, s);
      s = f(s);
      if (r.residual) s += get(r.residual + i);
      if (r.add) s += get(r.y + i);
      put(r.y + i, s);
    };
    int64_t i = 0;
    for (; i + kLanes <= r.n; i += kLanes)
      step(
          i, [](const float* p) { return load(p); }, [](float* p, Vec v) { store(p, v); });
    const int64_t left = r.n - i;
    if (left > 0)
      step(
          i, [left](const float* p) { return load(p, left); }, [left](float* p, Vec v) { store(p, v, left); });
  };
  if (r.activation == 0) return run([](Vec x) { return x; });
  with_unary(r.activation, run);
}

}  // namespace regimen::onednn::ONEDNN_ISA
