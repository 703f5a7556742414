// attention.cu - attention for every feature, in float32 or bfloat16, when cuDNN has no graph for it: a warp for a
// query, a lane for a key, and the running softmax of flash attention (Dao et al. 2022).
#include "attention.cuh"

namespace regimen::cudnn {
namespace {

template <class T>
struct Forward {
  Rules rules;
  Heads<const T> q, k, v;
  Heads<T> y;
  float* lse;
  int64_t lse_stride[3];
};

template <class T, int lines>
__global__ void attention_kernel(Forward<T> a) {
  const Rules& r = a.rules;
  __shared__ float queries[warps][lines * 32];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int64_t i = int64_t{blockIdx.x} * warps + warp, h = blockIdx.y, b = blockIdx.z, hkv = h / (r.H / r.Hkv);
  if (i >= r.Tq) return;
  const T* const q = a.q.head(b, h);
  const T *const k = a.k.head(b, hkv), *const v = a.v.head(b, hkv);
  for (int64_t d = lane; d < r.D; d += 32) queries[warp][d] = to_float(a.q.at(q, i, d));
  __syncwarp();
  const int64_t in_use = r.used(b), end = r.end_of_keys(i, in_use), first = r.first_key(i, in_use);
  float largest = -INFINITY, sum = 0, out[lines]{};
  for (int64_t begin = r.from(0, first); begin < end; begin = r.from(begin + 32, first)) {
    const int64_t j = begin + lane;
    float score = -INFINITY;
    if (j < end && r.sees(b, i, j, in_use)) {
      float dot = 0, slope;
      for (int64_t d = 0; d < r.D; ++d) dot += queries[warp][d] * to_float(a.k.at(k, j, d));
      score = r.score(dot, slope);
    }
    const float now = fmaxf(largest, over_warp(score, Max{}));
    if (now == -INFINITY) {  // nothing is seen, or NaN, which no maximum is: that goes into the sum
      sum += over_warp(score != score ? score : 0, Sum{});
      continue;
    }
    const float p = expf(score - now), again = expf(largest - now);
    sum = sum * again + over_warp(p, Sum{});
    largest = now;
    const float weight = p == 0 ? 0 : p * r.kept(b, h, i, j);
#pragma unroll
    for (int c = 0; c < lines; ++c) out[c] *= again;
    const int keys = static_cast<int>(min(end - begin, int64_t{32}));
    for (int n = 0; n < keys; ++n) {
      const float w = __shfl_sync(0xFFFFFFFF, weight, n);
      if (w == 0) continue;
#pragma unroll
      for (int c = 0; c < lines; ++c)
        if (const int64_t d = lane + 32 * c; d < r.Dv) out[c] += w * to_float(a.v.at(v, begin + n, d));
    }
  }
  T* const y = a.y.head(b, h);
#pragma unroll
  for (int c = 0; c < lines; ++c)
    if (const int64_t d = lane + 32 * c; d < r.Dv) a.y.at(y, i, d) = from_float<T>(sum == 0 ? 0 : out[c] / sum);
  if (lane == 0 && a.lse)
    a.lse[b * a.lse_stride[0] + h * a.lse_stride[1] + i * a.lse_stride[2]] = sum == 0 ? -INFINITY : largest + logf(sum);
}

}  // namespace

rgm_status attention(rgm_queue* q, const rgm_attention* args) {
  return kernel(q, "attention", [&] {
    const rgm_attention& a = *args;
    const Rules rules = rules_of(a, "attention");
    if (a.k->dtype != a.q->dtype || a.v->dtype != a.q->dtype || a.y->dtype != a.q->dtype)
      unsupported("attention: q, k, v and y of one dtype");
    if (rules.B * rules.Tq * rules.H == 0) return;
    if (cudnn_attention(q, a) || decode_attention(q, a, rules)) return;
    with_float(a.q->dtype, "attention", [&](auto t) {
      using T = decltype(t);
      Forward<T> f{rules, heads<const T>(a.q), heads<const T>(a.k), heads<const T>(a.v), heads<T>(a.y), nullptr, {}};
      if (a.lse) {
        f.lse = data<float>(*a.lse);
        for (int i = 0; i < 3; ++i) f.lse_stride[i] = a.lse->stride[i];
      }
      const dim3 grid(static_cast<unsigned>((rules.Tq + warps - 1) / warps), static_cast<unsigned>(rules.H),
                      static_cast<unsigned>(rules.B));
      with_lines(std::max(rules.D, rules.Dv),
                 [&](auto lines) { attention_kernel<T, lines.value><<<grid, warps * 32, 0, q->stream>>>(f); });
    });
  });
}

}  // namespace regimen::cudnn
