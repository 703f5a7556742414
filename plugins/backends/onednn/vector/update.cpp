// update.cpp - AdamW with decoupled weight decay (Loshchilov and Hutter, 2019), one pass over four arrays.
#include "kernels.hpp"

namespace regimen::onednn::ONEDNN_ISA {

void adamw(const AdamW& h, const float* g, float* p, float* m, float* v, int64_t n) {
  const float keep = 1.0f - h.rate * h.decay, step = h.rate / h.correction1, scale = 1.0f / h.correction2;
  const auto update = [=, &h](int64_t i, auto get, auto put) {
    const Vec grad = get(g + i) * h.factor;
    const Vec first = h.beta1 * get(m + i) + (1.0f - h.beta1) * grad;
    const Vec second = h.beta2 * get(v + i) + (1.0f - h.beta2) * (grad * grad);
    put(m + i, first);
    put(v + i, second);
    put(p + i, get(p + i) * keep - step * first / (sqrt(second * scale) + h.epsilon));
  };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    update(
        i, [](const float* a) { return load(a); }, [](float* a, Vec x) { store(a, x); });
  const int64_t left = n - i;
  if (left > 0)
    update(
        i, [left](const float* a) { return load(a, left); }, [left](float* a, Vec x) { store(a, x, left); });
}

}  // namespace regimen::onednn::ONEDNN_ISA
