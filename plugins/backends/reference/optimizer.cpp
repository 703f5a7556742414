// optimizer.cpp - AdamW (Loshchilov and Hutter 2019) over many parameters, and the sum of squares that clipping needs.
#include <bit>

#include "kernels.hpp"
#include "numbers.hpp"

namespace regimen::reference {
namespace {

struct Hyper {
  double rate, beta1, beta2, epsilon, decay, correction1, correction2, factor;
};

Hyper read(const rgm_view& v) {
  require_shape(v, {8}, "adamw: hyper is (8)");
  double h[8];
  load(v, 0, 8, v.stride[0], h);
  return {h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]};
}

// p loses rate decay p first, then rate (m / correction1) / (sqrt(v / correction2) + epsilon).
void step(const Hyper& h, int64_t n, const double* g, double* p, double* m, double* v) {
  for (int64_t i = 0; i < n; ++i) {
    const double gradient = h.factor * g[i];
    m[i] = h.beta1 * m[i] + (1 - h.beta1) * gradient;
    v[i] = h.beta2 * v[i] + (1 - h.beta2) * gradient * gradient;
    p[i] -= h.rate * h.decay * p[i];
    p[i] -= h.rate * (m[i] / h.correction1) / (std::sqrt(v[i] / h.correction2) + h.epsilon);
  }
}

// See rgm_adamw. The result is a bfloat16, as a float64.
double rounded(double x, uint32_t random) {
  const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(x));
  if (std::isnan(x)) return x;
  return std::bit_cast<float>((bits + random) & 0xFFFF0000);
}
uint32_t word(uint32_t w) {
  w ^= w >> 16, w *= 0x7FEB352D;
  w ^= w >> 15, w *= 0x846CA68B;
  return w ^ w >> 16;
}

}  // namespace

rgm_status adamw(rgm_queue*, const rgm_view* hyper, uint32_t n, const rgm_adamw* const* items) {
  return guard([&] {
    const Hyper h = read(*hyper);
    for (uint32_t k = 0; k < n; ++k) {
      const rgm_adamw& a = *items[k];
      accept_features(a.features, RGM_ADAMW_NARROW, "adamw");
      const bool narrow = a.features & RGM_ADAMW_NARROW;
      require(!narrow || (a.m->dtype == RGM_BF16 && a.v->dtype == RGM_BF16 && a.draw && a.draw->dtype == RGM_I32),
              "adamw: NARROW wants moments of BF16 and a draw");
    }
    if (std::isnan(h.factor)) return;
    double g[chunk], p[chunk], m[chunk], v[chunk];
    for (uint32_t k = 0; k < n; ++k) {
      const rgm_adamw& a = *items[k];
      const rgm_view* copy = a.copy ? a.copy : a.p;
      const bool narrow = a.features & RGM_ADAMW_NARROW;
      uint32_t next = narrow ? static_cast<uint32_t>(*data<const int32_t>(*a.draw)) : 0;
      each_chunk<5>({a.g, a.p, a.m, a.v, copy}, [&](auto at, int64_t size, auto apart) {
        load(*a.g, at[0], size, apart[0], g);
        load(*a.p, at[1], size, apart[1], p);
        load(*a.m, at[2], size, apart[2], m);
        load(*a.v, at[3], size, apart[3], v);
        step(h, size, g, p, m, v);
        for (int64_t i = 0; i < size && narrow; ++i) {
          const uint32_t random = word(next++);
          m[i] = rounded(m[i], random & 0xFFFF), v[i] = rounded(v[i], random >> 16);
        }
        store(*a.p, at[1], size, apart[1], p);
        store(*a.m, at[2], size, apart[2], m);
        store(*a.v, at[3], size, apart[3], v);
        if (a.copy) store(*copy, at[4], size, apart[4], p);
      });
    }
  });
}

rgm_status sum_of_squares(rgm_queue*, uint32_t n, const rgm_view* const* xs, const rgm_view* y) {
  return guard([&] {
    require(count(*y) == 1, "sum_of_squares: y is a scalar");
    double sum = 0, buffer[chunk];
    for (uint32_t k = 0; k < n; ++k)
      each_chunk<1>({xs[k]}, [&](auto at, int64_t size, auto step) {
        load(*xs[k], at[0], size, step[0], buffer);
        for (int64_t i = 0; i < size; ++i) sum += buffer[i] * buffer[i];
      });
    put(*y, 0, sum);
  });
}

}  // namespace regimen::reference
