// attention_grad.cu - the gradient: with p the weights, m dropout's factor and e = dy v^T m, dv = (p m)^T dy,
// dscore = p (e - dy . y), dq = dscore k, dk = dscore^T q. Weights come back from lse. A warp for a query makes dq, a
// warp for a key makes dk and dv, so nothing is added from two places.
#include "attention.cuh"

namespace regimen::cudnn {
namespace {

template <class T>
struct Gradient {
  Rules rules;
  Heads<const T> q, k, v, y, dy;
  Heads<T> dq, dk, dv;
  const float* lse;
  int64_t lse_stride[3];
  float* delta;  // (B, H, Tq): dy . y
  __device__ float lse_of(int64_t b, int64_t h, int64_t i) const {
    return lse[b * lse_stride[0] + h * lse_stride[1] + i * lse_stride[2]];
  }
  __device__ float& delta_of(int64_t b, int64_t h, int64_t i) const { return delta[(b * rules.H + h) * rules.Tq + i]; }
};

template <class T, int lines>
__global__ void queries_kernel(Gradient<T> a) {
  const Rules& r = a.rules;
  __shared__ float queries[warps][lines * 32], gradients[warps][lines * 32];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int64_t i = int64_t{blockIdx.x} * warps + warp, h = blockIdx.y, b = blockIdx.z, hkv = h / (r.H / r.Hkv);
  if (i >= r.Tq) return;
  const T *const q = a.q.head(b, h), *const k = a.k.head(b, hkv), *const v = a.v.head(b, hkv);
  const T *const y = a.y.head(b, h), *const dy = a.dy.head(b, h);
  float dot = 0;
  for (int64_t d = lane; d < r.D; d += 32) queries[warp][d] = to_float(a.q.at(q, i, d));
  for (int64_t d = lane; d < r.Dv; d += 32) {
    const float g = to_float(a.dy.at(dy, i, d));
    gradients[warp][d] = g;
    dot += g * to_float(a.y.at(y, i, d));
  }
  __syncwarp();
  const float delta = over_warp(dot, Sum{}), lse = a.lse_of(b, h, i);
  if (lane == 0) a.delta_of(b, h, i) = delta;
  const int64_t in_use = r.used(b), end = r.end_of_keys(i, in_use), first = r.first_key(i, in_use);
  float out[lines]{};
  for (int64_t begin = r.from(0, first); begin < end; begin = r.from(begin + 32, first)) {
    const int64_t j = begin + lane;
    float change = 0;
    if (j < end && r.sees(b, i, j, in_use)) {
      float qk = 0, gv = 0, slope;
      for (int64_t d = 0; d < r.D; ++d) qk += queries[warp][d] * to_float(a.k.at(k, j, d));
      for (int64_t d = 0; d < r.Dv; ++d) gv += gradients[warp][d] * to_float(a.v.at(v, j, d));
      const float p = expf(r.score(qk, slope) - lse);
      change = p * (gv * r.kept(b, h, i, j) - delta) * slope;
    }
    const int keys = static_cast<int>(min(end - begin, int64_t{32}));
    for (int n = 0; n < keys; ++n) {
      const float c = __shfl_sync(0xFFFFFFFF, change, n);
      if (c == 0) continue;
#pragma unroll
      for (int l = 0; l < lines; ++l)
        if (const int64_t d = lane + 32 * l; d < r.D) out[l] += c * to_float(a.k.at(k, begin + n, d));
    }
  }
  T* const dq = a.dq.head(b, h);
#pragma unroll
  for (int l = 0; l < lines; ++l)
    if (const int64_t d = lane + 32 * l; d < r.D) a.dq.at(dq, i, d) = from_float<T>(out[l]);
}

template <class T, int lines>
__global__ void keys_kernel(Gradient<T> a) {
  const Rules& r = a.rules;
  __shared__ float keys[warps][lines * 32], values[warps][lines * 32];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int64_t j = int64_t{blockIdx.x} * warps + warp, hkv = blockIdx.y, b = blockIdx.z, group = r.H / r.Hkv;
  if (j >= r.Tk) return;
  const T *const k = a.k.head(b, hkv), *const v = a.v.head(b, hkv);
  for (int64_t d = lane; d < r.D; d += 32) keys[warp][d] = to_float(a.k.at(k, j, d));
  for (int64_t d = lane; d < r.Dv; d += 32) values[warp][d] = to_float(a.v.at(v, j, d));
  __syncwarp();
  const int64_t in_use = r.used(b);
  const int64_t first = r.has(RGM_ATTENTION_CAUSAL) ? max(int64_t{0}, j - in_use + r.Tq) : 0;
  const int64_t end = r.end_of_queries(j, in_use);
  float dk[lines]{}, dv[lines]{};
  for (int64_t h = hkv * group; h < (hkv + 1) * group && j < in_use; ++h) {
    const T *const q = a.q.head(b, h), *const dy = a.dy.head(b, h);
    for (int64_t begin = first / 32 * 32; begin < end; begin += 32) {
      const int64_t i = begin + lane;
      float change = 0, weight = 0;
      if (i < r.Tq && r.sees(b, i, j, in_use)) {
        float qk = 0, gv = 0, slope;
        for (int64_t d = 0; d < r.D; ++d) qk += keys[warp][d] * to_float(a.q.at(q, i, d));
        for (int64_t d = 0; d < r.Dv; ++d) gv += values[warp][d] * to_float(a.dy.at(dy, i, d));
        const float p = expf(r.score(qk, slope) - a.lse_of(b, h, i)), kept = r.kept(b, h, i, j);
        weight = p * kept;
        change = p * (gv * kept - a.delta_of(b, h, i)) * slope;
      }
      const int rows = static_cast<int>(min(r.Tq - begin, int64_t{32}));
      for (int n = 0; n < rows; ++n) {
        const float c = __shfl_sync(0xFFFFFFFF, change, n), w = __shfl_sync(0xFFFFFFFF, weight, n);
        if (c == 0 && w == 0) continue;
#pragma unroll
        for (int l = 0; l < lines; ++l) {
          const int64_t d = lane + 32 * l;
          if (d < r.D) dk[l] += c * to_float(a.q.at(q, begin + n, d));
          if (d < r.Dv) dv[l] += w * to_float(a.dy.at(dy, begin + n, d));
        }
      }
    }
  }
  T *const to_k = a.dk.head(b, hkv), *const to_v = a.dv.head(b, hkv);
#pragma unroll
  for (int l = 0; l < lines; ++l) {
    const int64_t d = lane + 32 * l;
    if (d < r.D) a.dk.at(to_k, j, d) = from_float<T>(dk[l]);
    if (d < r.Dv) a.dv.at(to_v, j, d) = from_float<T>(dv[l]);
  }
}

unsigned blocks(int64_t n) { return static_cast<unsigned>((n + warps - 1) / warps); }

}  // namespace

rgm_status attention_grad(rgm_queue* q, const rgm_attention* args) {
  return kernel(q, "attention_grad", [&] {
    const rgm_attention& a = *args;
    const Rules rules = rules_of(a, "attention_grad");
    for (const rgm_view* v : {a.k, a.v, a.y, a.dy, a.dq, a.dk, a.dv})
      if (v->dtype != a.q->dtype) unsupported("attention_grad: all of one dtype");
    if (rules.B * rules.H == 0) return;
    if (cudnn_attention_grad(q, a)) return;
    auto* delta = scratch<float>(q, Scratch::kDelta, std::max<int64_t>(rules.B * rules.H * rules.Tq, 1));
    with_float(a.q->dtype, "attention_grad", [&](auto t) {
      using T = decltype(t);
      Gradient<T> g{rules,
                    heads<const T>(a.q),
                    heads<const T>(a.k),
                    heads<const T>(a.v),
                    heads<const T>(a.y),
                    heads<const T>(a.dy),
                    heads<T>(a.dq),
                    heads<T>(a.dk),
                    heads<T>(a.dv),
                    data<const float>(*a.lse),
                    {a.lse->stride[0], a.lse->stride[1], a.lse->stride[2]},
                    delta};
      with_lines(std::max(rules.D, rules.Dv), [&](auto lines) {
        if (rules.Tq > 0)
          queries_kernel<T, lines.value>
              <<<dim3(blocks(rules.Tq), static_cast<unsigned>(rules.H), static_cast<unsigned>(rules.B)), warps * 32, 0,
                 q->stream>>>(g);
        if (rules.Tk > 0)
          keys_kernel<T, lines.value>
              <<<dim3(blocks(rules.Tk), static_cast<unsigned>(rules.Hkv), static_cast<unsigned>(rules.B)), warps * 32,
                 0, q->stream>>>(g);
      });
    });
  });
}

}  // namespace regimen::cudnn
