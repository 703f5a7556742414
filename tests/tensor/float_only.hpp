// float_only.hpp - the reference backend, but with float32 kernels alone: of bfloat16 it has what every backend has.
#pragma once
#include "tensor/fixture.hpp"

namespace rgm::test {

inline bool is_narrow(std::initializer_list<const rgm_view*> views) {
  for (const rgm_view* v : views)
    if (v && v->dtype == RGM_BF16) return true;
  return false;
}
inline const rgm_kernels& reference_kernels() { return *reference().kernels(nullptr); }

inline rgm_kernels float_only_kernels() {
  rgm_kernels k = reference_kernels();
  using Q = rgm_queue*;
  using V = const rgm_view*;
  k.binary = [](Q q, int32_t op, V a, V b, V y) {
    return is_narrow({a, b, y}) ? RGM_UNSUPPORTED : reference_kernels().binary(q, op, a, b, y);
  };
  k.unary = [](Q q, int32_t op, V x, V y) {
    return is_narrow({x, y}) ? RGM_UNSUPPORTED : reference_kernels().unary(q, op, x, y);
  };
  k.reduce = [](Q q, int32_t op, uint32_t axes, V x, V y) {
    return is_narrow({x, y}) ? RGM_UNSUPPORTED : reference_kernels().reduce(q, op, axes, x, y);
  };
  k.scatter_add = [](Q q, int32_t axis, V index, V x, V y) {
    return is_narrow({x, y}) ? RGM_UNSUPPORTED : reference_kernels().scatter_add(q, axis, index, x, y);
  };
  k.matmul = [](Q q, double alpha, V a, V b, double beta, V y) {
    const bool offered = a->dtype == b->dtype && y->dtype == RGM_F32;
    return offered ? reference_kernels().matmul(q, alpha, a, b, beta, y) : RGM_UNSUPPORTED;
  };
  k.unary_grad = [](Q q, int32_t op, V x, V dy, V dx) {
    return is_narrow({x, dy, dx}) ? RGM_UNSUPPORTED : reference_kernels().unary_grad(q, op, x, dy, dx);
  };
  k.norm = [](Q q, const rgm_norm* a) {
    return is_narrow({a->x, a->y}) ? RGM_UNSUPPORTED : reference_kernels().norm(q, a);
  };
  k.norm_grad = [](Q q, const rgm_norm* a) {
    return is_narrow({a->x, a->dy, a->dx}) ? RGM_UNSUPPORTED : reference_kernels().norm_grad(q, a);
  };
  k.rope = [](Q q, const rgm_rope* a) {
    return is_narrow({a->x, a->y}) ? RGM_UNSUPPORTED : reference_kernels().rope(q, a);
  };
  k.attention = [](Q q, const rgm_attention* a) {
    return is_narrow({a->q, a->k, a->v, a->y}) ? RGM_UNSUPPORTED : reference_kernels().attention(q, a);
  };
  k.attention_grad = [](Q q, const rgm_attention* a) {
    const bool narrow = is_narrow({a->q, a->k, a->v, a->y, a->dy, a->dq, a->dk, a->dv});
    return narrow ? RGM_UNSUPPORTED : reference_kernels().attention_grad(q, a);
  };
  k.linear = [](Q q, const rgm_linear* a) {
    return is_narrow({a->x, a->weight, a->y, a->aux}) ? RGM_UNSUPPORTED : reference_kernels().linear(q, a);
  };
  k.head_loss = [](Q q, const rgm_head_loss* a) {
    return is_narrow({a->x, a->w, a->dx}) ? RGM_UNSUPPORTED : reference_kernels().head_loss(q, a);
  };
  return k;
}

inline const rgm_backend& float_only() {
  static const rgm_kernels kernels = float_only_kernels();
  static const rgm_backend backend = [] {
    rgm_backend b = reference();
    b.kernels = [](rgm_device*) -> const rgm_kernels* { return &kernels; };
    return b;
  }();
  return backend;
}

}  // namespace rgm::test
