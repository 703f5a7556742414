// attention_served.hpp - what cuDNN serves of attention, what of that it takes a bias for, and parts of one.
#pragma once
#include <algorithm>
#include <tuple>

#include "kernels.hpp"

namespace regimen::cudnn {

inline bool served(const rgm_view* v) {
  const auto whole = [](int64_t stride) { return stride % 8 == 0 && stride > 0; };
  return v->dtype == RGM_BF16 && reinterpret_cast<uintptr_t>(v->data) % 16 == 0 && v->stride[3] == 1 &&
         v->shape[3] % 8 == 0 && v->shape[3] <= 128 && whole(v->stride[1]) &&
         (v->shape[2] == 1 || whole(v->stride[2])) && (v->shape[0] == 1 || whole(v->stride[0]));
}
inline bool served(const rgm_attention& a) {
  constexpr uint32_t known =
      RGM_ATTENTION_CAUSAL | RGM_ATTENTION_WINDOW | RGM_ATTENTION_PREFIX | RGM_ATTENTION_SEGMENTS;
  const int64_t Tq = a.q->shape[1], Tk = a.k->shape[1];
  return (a.features & ~known) == 0 && a.lse && is_contiguous(*a.lse) && Tq > 1 && Tk >= Tq && Tk < 1 << 30 &&
         served(a.q) && served(a.k) && served(a.v) && served(a.y);
}
inline bool gradient_served(const rgm_attention& a) {
  return served(a) && served(a.dy) && served(a.dq) && served(a.dk) && served(a.dv);
}
// Would be, and dropout is all that stands in the way.
inline bool only_dropout(rgm_attention a) {
  const bool drops = a.features & RGM_ATTENTION_DROPOUT;
  a.features &= ~uint32_t{RGM_ATTENTION_DROPOUT};
  return drops && served(a);
}

// cuDNN's own causal mask counts from the first key: it is right where there are as many keys as queries.
inline bool causal_by_itself(const rgm_attention& a) {
  return a.features & RGM_ATTENTION_CAUSAL && a.q->shape[1] == a.k->shape[1];
}
inline bool needs_mask(const rgm_attention& a) {
  return a.features & (RGM_ATTENTION_WINDOW | RGM_ATTENTION_SEGMENTS) ||
         (a.features & RGM_ATTENTION_CAUSAL && !causal_by_itself(a));
}
// On sm_90 its gradient has NaN where the last of its tiles of 128 keys is half full and a row's scores are all far
// below 0: the other half enters as scores of 0 (pytorch/pytorch#196678, NVIDIA/cudnn-frontend#628). Its own causal
// mask alone hides that half.
inline bool is_wrong(const rgm_attention& a) {
  return (needs_mask(a) || !causal_by_itself(a)) && a.k->shape[1] % 128 == 64;
}
inline int64_t mask_bytes(const rgm_attention& a) {
  const int64_t B = a.features & RGM_ATTENTION_SEGMENTS ? a.q->shape[0] : 1;
  return needs_mask(a) ? B * a.q->shape[1] * ((a.k->shape[1] + 7) / 8 * 8) * 2 : 0;
}

// Some rows, and of these some heads of the keys with the queries' heads that share them, as attention of its own.
struct Part {
  rgm_view q, k, v, y, dy, dq, dk, dv;
  rgm_attention args;

  Part(const rgm_attention& a, int64_t rows, int64_t heads) : args(a) {
    const int64_t shared = a.q->shape[2] / a.k->shape[2];
    const auto take = [rows](rgm_view& own, const rgm_view* whole, int64_t n, const rgm_view*& to) {
      own = *whole;
      own.shape[0] = rows, own.shape[2] = n;
      to = &own;
    };
    for (auto& [own, whole, to] :
         {std::tuple{&q, a.q, &args.q}, {&y, a.y, &args.y}, {&dy, a.dy, &args.dy}, {&dq, a.dq, &args.dq}})
      take(*own, whole, heads * shared, *to);
    for (auto& [own, whole, to] :
         {std::tuple{&k, a.k, &args.k}, {&v, a.v, &args.v}, {&dk, a.dk, &args.dk}, {&dv, a.dv, &args.dv}})
      take(*own, whole, heads, *to);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
};

// The largest divisor of n that is at most `most`, and at least 1.
inline int64_t divisor(int64_t n, int64_t most) {
  int64_t out = std::clamp<int64_t>(most, 1, n);
  while (n % out != 0) --out;
  return out;
}

}  // namespace regimen::cudnn
