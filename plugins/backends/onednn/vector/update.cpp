// update.cpp - AdamW with decoupled weight decay (Loshchilov and Hutter, 2019), one pass over four arrays.
#include "kernels.hpp"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
struct Step {
  const AdamW& h;
  float keep = 1.0f - h.rate * h.decay, step = h.rate / h.correction1, scale = 1.0f / h.correction2;
  // p of the moments, which are updated
  ONEDNN_INLINE Vec operator()(Vec gradient, Vec p, Vec& m, Vec& v) const {
    const Vec g = gradient * h.factor;
    m = h.beta1 * m + (1.0f - h.beta1) * g;
    v = h.beta2 * v + (1.0f - h.beta2) * (g * g);
    return p * keep - step * m / (sqrt(v * scale) + h.epsilon);
  }
};

ONEDNN_INLINE Word mixed(Word w) {
  w ^= w >> 16, w *= 0x7FEB352Du;
  w ^= w >> 15, w *= 0x846CA68Bu;
  return w ^ w >> 16;
}
// The upper half of a sum with 16 random bits; NaN stays.
ONEDNN_INLINE Word rounded(Vec x, Word random) {
  const Word bits = (Word)x;
  return (x == x ? bits + random : bits) >> 16;
}
ONEDNN_INLINE void store(uint16_t* p, Word halves, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = static_cast<uint16_t>(halves[i]);
}
ONEDNN_INLINE void store(uint16_t* p, Word halves) {
  typedef uint16_t Half __attribute__((vector_size(kLanes * 2)));
  const Half narrow = __builtin_convertvector(halves, Half);
  __builtin_memcpy(p, &narrow, sizeof narrow);
}
}  // namespace

// update(first element, load, store) for n elements; the last few go through a part of a vector.
template <class F>
ONEDNN_INLINE void by_vectors(int64_t n, F update) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    update(
        i, [](const auto* a) { return load(a); }, [](auto* a, auto x) { store(a, x); });
  const int64_t left = n - i;
  if (left > 0)
    update(
        i, [left](const auto* a) { return load(a, left); }, [left](auto* a, auto x) { store(a, x, left); });
}

void adamw(const AdamW& h, const float* g, float* p, float* m, float* v, int64_t n) {
  const Step step{h};
  const auto update = [=, &step](int64_t i, auto get, auto put) {
    Vec first = get(m + i), second = get(v + i);
    put(p + i, step(get(g + i), get(p + i), first, second));
    put(m + i, first);
    put(v + i, second);
  };
  by_vectors(n, update);
}

void adamw_narrow(const AdamW& h, const float* g, float* p, uint16_t* m, uint16_t* v, uint32_t draw, int64_t n) {
  const Step step{h};
  Word number;
  for (int k = 0; k < kLanes; ++k) number[k] = draw + static_cast<uint32_t>(k);
  const auto update = [=, &step, &number](int64_t i, auto get, auto put) {
    Vec first = get(m + i), second = get(v + i);
    put(p + i, step(get(g + i), get(p + i), first, second));
    const Word random = mixed(number);
    put(m + i, rounded(first, random & 0xFFFFu));
    put(v + i, rounded(second, random >> 16));
    number += static_cast<uint32_t>(kLanes);
  };
  by_vectors(n, update);
}

}  // namespace regimen::onednn::ONEDNN_ISA
