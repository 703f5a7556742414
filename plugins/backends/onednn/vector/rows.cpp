// rows.cpp - what is said about one row: its sum, its maximum, softmax; and the rotation of a head's pairs.
#include "kernels.hpp"
#include "math.hpp"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
constexpr int64_t kAhead = 1024;  // floats: far enough for memory, still on the way when they are needed

// Sums f(i, lanes) over a row in four chains, whose order depends on n alone.
template <class F>
ONEDNN_INLINE float total(int64_t n, F f) {
  Vec s0 = {}, s1 = {}, s2 = {}, s3 = {};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    s0 += f(i, kLanes);
    s1 += f(i + kLanes, kLanes);
    s2 += f(i + 2 * kLanes, kLanes);
    s3 += f(i + 3 * kLanes, kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) s0 += f(i, kLanes);
  if (i < n) s1 += f(i, n - i);
  return sum((s0 + s1) + (s2 + s3));
}
ONEDNN_INLINE Vec some(const float* p, int64_t n) { return n == kLanes ? load(p) : load(p, n); }

// y = exp(x - shift), and their sum. The lanes beyond n would count as exp(0 - shift).
ONEDNN_INLINE float exponentials(const float* x, float* y, int64_t n, float shift) {
  Vec s = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec e = exp(load(x + i) - shift);
    if (y) store(y + i, e);
    s += e;
  }
  float result = sum(s);
  if (i < n) {
    Vec e = exp(load(x + i, n - i) - shift);
    if (y) store(y + i, e, n - i);
    for (int64_t k = 0; k < n - i; ++k) result += e[k];
  }
  return result;
}
}  // namespace

float sum(const float* x, int64_t n) {
  return total(n, [x](int64_t i, int64_t lanes) {
    __builtin_prefetch(x + i + kAhead);
    return some(x + i, lanes);
  });
}

float maximum(const float* x, int64_t n) {
  Vec best = splat(-kInfinity);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) best = maximum(best, load(x + i));
  float result = maximum(best);
  for (; i < n; ++i) result = x[i] != x[i] || result < x[i] ? x[i] : result;
  return result;
}

float logsumexp(const float* x, int64_t n) {
  const float top = maximum(x, n);
  if (top == -kInfinity || top == kInfinity) return top;
  return top + log(splat(exponentials(x, nullptr, n, top)))[0];
}

double squares(const float* x, int64_t n) {
  typedef double Wide __attribute__((vector_size(kLanes * 8)));
  Wide s = {}, t = {};
  int64_t i = 0;
  const auto add = [x](Wide& to, int64_t at) {
    __builtin_prefetch(x + at + kAhead);
    const Wide v = __builtin_convertvector(load(x + at), Wide);
    to += v * v;
  };
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    add(s, i);
    add(t, i + kLanes);
  }
  if (i + kLanes <= n) {
    add(s, i);
    i += kLanes;
  }
  s += t;
  double result = 0;
  for (int k = 0; k < kLanes; ++k) result += s[k];
  for (; i < n; ++i) result += static_cast<double>(x[i]) * x[i];
  return result;
}

void softmax(const float* x, float* y, int64_t n) {
  const float s = exponentials(x, y, n, maximum(x, n));
  map(y, y, n, [scale = 1.0f / s](Vec v) { return v * scale; });
}
void softmax_grad(const float* y, const float* dy, float* dx, int64_t n) {
  const float dot = total(n, [=](int64_t i, int64_t lanes) { return some(y + i, lanes) * some(dy + i, lanes); });
  map(y, dy, dx, n, [dot](Vec p, Vec d) { return p * (d - dot); });
}

void rope(const float* x, const float* cos, const float* sin, float* y, int64_t half) {
  const auto turn = [=](int64_t i, auto get, auto put) {
    const Vec a = get(x + i), b = get(x + half + i), c = get(cos + i), s = get(sin + i);
    put(y + i, a * c - b * s);
    put(y + half + i, b * c + a * s);
  };
  int64_t i = 0;
  for (; i + kLanes <= half; i += kLanes)
    turn(
        i, [](const float* p) { return load(p); }, [](float* p, Vec v) { store(p, v); });
  const int64_t left = half - i;
  if (left > 0)
    turn(
        i, [left](const float* p) { return load(p, left); }, [left](float* p, Vec v) { store(p, v, left); });
}

// With z = scale cap(logit): logprob = z[target] - lse, entropy = lse - sum p z, and the gradient of -weight logprob
// by the logit, weight (p - [target]) scale cap'(logit), in place.
HeadResult head(const HeadRow& r) {
  const float cap = r.softcap, scale = r.scale;
  const auto capped = [cap, scale](Vec v) { return (cap > 0 ? cap * tanh(v / cap) : v) * scale; };
  float* z = r.logits;
  if (cap > 0 || scale != 1) map(z, z, r.V, capped);
  const float top = maximum(z, r.V), s = exponentials(z, nullptr, r.V, top), chosen = z[r.target];
  HeadResult result{chosen - top - log(splat(s))[0], 0};
  if (r.entropy) {  // over z - top: a common offset of the logits costs no digits
    const float mean = total(r.V, [=](int64_t i, int64_t lanes) {
      const Vec d = some(z + i, lanes) - top;
      if (lanes == kLanes) return exp(d) * (d < -104.0f ? Vec{} : d);
      Vec e = exp(d) * (d < -104.0f ? Vec{} : d);
      for (int64_t k = lanes; k < kLanes; ++k) e[k] = 0;
      return e;
    });
    result.entropy = log(splat(s))[0] - mean / s;
  }
  if (!r.grad) return result;
  const float share = r.weight * scale / s, whole = r.weight * scale;
  if (cap > 0) {
    const float unit = 1 / (cap * scale);
    const float t = chosen * unit, slope = whole * (1 - t * t);
    map(z, z, r.V, [=](Vec v) {
      const Vec u = v * unit;
      return exp(v - top) * share * (1.0f - u * u);
    });
    z[r.target] -= slope;
  } else {
    map(z, z, r.V, [=](Vec v) { return exp(v - top) * share; });
    z[r.target] -= whole;
  }
  return result;
}

}  // namespace regimen::onednn::ONEDNN_ISA
