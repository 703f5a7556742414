// norm.cpp - layer norm and root-mean-square norm over rows, forward and backward: x is read once from memory, and
// again from the cache.
#include "kernels.hpp"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
// Calls f(i, get, put) along a row, where get and put move a whole vector or what is left of one.
template <class F>
ONEDNN_INLINE void along(int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    f(
        i, [](const float* p) { return load(p); }, [](float* p, Vec v) { store(p, v); });
  const int64_t left = n - i;
  if (left > 0)
    f(
        i, [left](const float* p) { return load(p, left); }, [left](float* p, Vec v) { store(p, v, left); });
}
}  // namespace

void norm(const NormRows& r) {
  const int64_t C = r.C;
  for (int64_t row = 0; row < r.rows; ++row) {
    float* x = r.x + row * r.x_stride;
    float* y = r.y + row * r.y_stride;
    if (r.residual) {
      const float* add = r.residual + row * r.residual_stride;
      map(x, add, x, C, [](Vec a, Vec b) { return a + b; });
    }
    Vec s = {};
    float mean = 0;
    if (r.centred) {
      along(C, [&](int64_t i, auto get, auto) { s += get(x + i); });
      mean = sum(s) / static_cast<float>(C);
    }
    Vec q = {};
    int64_t i = 0;
    for (; i + kLanes <= C; i += kLanes) {
      const Vec d = load(x + i) - mean;
      q += d * d;
    }
    float variance = sum(q);
    for (; i < C; ++i) variance += (x[i] - mean) * (x[i] - mean);
    const float rstd = 1.0f / __builtin_sqrtf(variance / static_cast<float>(C) + r.epsilon);
    along(C, [&](int64_t k, auto get, auto put) {
      Vec v = (get(x + k) - mean) * rstd;
      if (r.w) v *= get(r.w + k);
      if (r.b) v += get(r.b + k);
      put(y + k, v);
    });
    if (r.mean) r.mean[row] = mean;
    if (r.rstd) r.rstd[row] = rstd;
  }
}

// n = (x - mean) rstd, g = dy w: dx = rstd (g - average(g) - n average(g n)), without the middle term when not
// centred.
void norm_grad(const NormRows& r) {
  const int64_t C = r.C;
  for (int64_t row = 0; row < r.rows; ++row) {
    const float* x = r.x + row * r.x_stride;
    const float* dy = r.dy + row * r.dy_stride;
    const float mean = r.centred ? r.mean[row] : 0, rstd = r.rstd[row];
    Vec s = {}, t = {};
    along(C, [&](int64_t i, auto get, auto put) {
      const Vec d = get(dy + i), n = (get(x + i) - mean) * rstd, g = r.w ? d * get(r.w + i) : d;
      s += g;  // beyond the row dy is 0
      t += g * n;
      if (r.dw) put(r.dw + i, get(r.dw + i) + d * n);
      if (r.db) put(r.db + i, get(r.db + i) + d);
    });
    if (!r.dx) continue;
    float* dx = r.dx + row * r.dx_stride;
    const float a = r.centred ? sum(s) / static_cast<float>(C) : 0, b = sum(t) / static_cast<float>(C);
    along(C, [&](int64_t i, auto get, auto put) {
      const Vec d = get(dy + i), n = (get(x + i) - mean) * rstd, g = r.w ? d * get(r.w + i) : d;
      const Vec here = rstd * (g - a - n * b);
      put(dx + i, r.adds ? get(dx + i) + here : here);
    });
  }
}

}  // namespace regimen::onednn::ONEDNN_ISA
