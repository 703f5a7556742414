// attention_decode.cu - one query a row over the keys and values of a cache, at the speed of memory: a few lanes read a
// key, each lane group keeps its own running softmax, and long rows are split over blocks (Flash-Decoding, Dao et al.
// 2023). The order of the sums depends on the shapes alone.
#include "attention.cuh"

namespace regimen::cudnn {
namespace {

constexpr int at_once = 4;  // keys that a lane group has on the way

template <class T>
struct Decode {
  Rules rules;
  Heads<const T> q, k, v;
  Heads<T> y;
  float* lse;
  int64_t lse_stride[3];
  int splits;
  float* partials;  // (B, H, splits, D + 2): sums, the largest score, the sum of weights
};

template <class T>
__device__ void read_eight(const T* from, float (&x)[8]) {
  const auto here = *reinterpret_cast<const Eight<T>*>(from);
#pragma unroll
  for (int k = 0; k < 8; ++k) x[k] = to_float(here.at[k]);
}

// What the sums of a part weigh whose largest score is this one. A part without any has a sum of 0, or NaN, which no
// maximum is.
__device__ float weight_of(float largest_there, float largest) {
  return largest == -INFINITY ? 1 : expf(largest_there - largest);
}

// A softmax that is not finished: weights are relative to the largest score so far.
struct Running {
  float largest = -INFINITY, sum = 0, out[8]{};
  __device__ void add(float largest_there, float sum_there, const float (&out_there)[8]) {
    const float now = fmaxf(largest, largest_there);
    const float mine = weight_of(largest, now), theirs = weight_of(largest_there, now);
    sum = sum * mine + sum_there * theirs;
#pragma unroll
    for (int k = 0; k < 8; ++k) out[k] = out[k] * mine + out_there[k] * theirs;
    largest = now;
  }
};

// lanes: that share a key, eight channels each. queries: heads of q that share the keys and are served together.
template <class T, int lanes, int queries>
__global__ void __launch_bounds__(32 * warps) decode_kernel(Decode<T> a) {
  constexpr int D = 8 * lanes, groups = 32 / lanes, in_block = warps * groups;
  const Rules& r = a.rules;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / lanes, channel = 8 * (lane % lanes);
  const int64_t b = blockIdx.z, h = int64_t{blockIdx.y} * queries, hkv = h / (r.H / r.Hkv);
  const T *const k = a.k.head(b, hkv) + channel, *const v = a.v.head(b, hkv) + channel;
  float q[queries][8];
#pragma unroll
  for (int n = 0; n < queries; ++n) read_eight(a.q.head(b, h + n) + channel, q[n]);

  const int64_t in_use = r.used(b);
  int64_t first = 0;
  if (r.has(RGM_ATTENTION_WINDOW) && r.prefix == 0) first = max(int64_t{0}, in_use - r.window);
  const int64_t each = ((in_use - first + a.splits - 1) / a.splits + in_block - 1) / in_block * in_block;
  const int64_t begin = first + blockIdx.x * each, end = min(begin + each, in_use);
  Running running[queries];
  for (int64_t base = begin; base < end; base += in_block * at_once) {
    Eight<T> keys[at_once], values[at_once];
    bool seen[at_once];
#pragma unroll
    for (int u = 0; u < at_once; ++u) {
      const int64_t j = base + u * in_block + warp * groups + group, safe = min(j, end - 1);
      seen[u] = j < end && r.sees(b, 0, j, in_use);
      keys[u] = *reinterpret_cast<const Eight<T>*>(k + safe * a.k.stride[1]);
      values[u] = *reinterpret_cast<const Eight<T>*>(v + safe * a.v.stride[1]);
    }
#pragma unroll
    for (int n = 0; n < queries; ++n) {
      Running& mine = running[n];
      float score[at_once], now = mine.largest;
#pragma unroll
      for (int u = 0; u < at_once; ++u) {
        float dot = 0, slope;
#pragma unroll
        for (int c = 0; c < 8; ++c) dot += q[n][c] * to_float(keys[u].at[c]);
#pragma unroll
        for (int i = lanes / 2; i > 0; i /= 2) dot += __shfl_xor_sync(0xFFFFFFFF, dot, i);
        score[u] = seen[u] ? r.score(dot, slope) : -INFINITY;
        now = fmaxf(now, score[u]);
      }
      if (now == -INFINITY) {  // nothing is seen, or NaN, which goes into the sum
#pragma unroll
        for (const float s : score) mine.sum += s != s ? s : 0;
        continue;
      }
      const float again = expf(mine.largest - now);
      mine.largest = now;
      mine.sum *= again;
#pragma unroll
      for (float& o : mine.out) o *= again;
#pragma unroll
      for (int u = 0; u < at_once; ++u) {
        const float weight = expf(score[u] - now);
        mine.sum += weight;
        if (weight == 0) continue;  // what is not seen may be anything
#pragma unroll
        for (int c = 0; c < 8; ++c) mine.out[c] += weight * to_float(values[u].at[c]);
      }
    }
  }

  __shared__ float outs[warps][queries][D], largests[warps][queries], sums[warps][queries];
#pragma unroll
  for (int n = 0; n < queries; ++n) {
    Running& mine = running[n];
#pragma unroll
    for (int i = lanes; i < 32; i *= 2) {
      float there[8];
#pragma unroll
      for (int c = 0; c < 8; ++c) there[c] = __shfl_xor_sync(0xFFFFFFFF, mine.out[c], i);
      const float largest = __shfl_xor_sync(0xFFFFFFFF, mine.largest, i),
                  sum = __shfl_xor_sync(0xFFFFFFFF, mine.sum, i);
      mine.add(largest, sum, there);
    }
    if (group == 0)
#pragma unroll
      for (int c = 0; c < 8; ++c) outs[warp][n][channel + c] = mine.out[c];
    if (lane == 0) largests[warp][n] = mine.largest, sums[warp][n] = mine.sum;
  }
  __syncthreads();
  for (int e = threadIdx.x; e < queries * D; e += 32 * warps) {
    const int n = e / D, d = e % D;
    float largest = -INFINITY, sum = 0, out = 0;
    for (int w = 0; w < warps; ++w) largest = fmaxf(largest, largests[w][n]);
    for (int w = 0; w < warps; ++w) {
      const float part = weight_of(largests[w][n], largest);
      sum += part * sums[w][n];
      out += part * outs[w][n][d];
    }
    if (a.splits > 1) {
      float* const to = a.partials + (((b * r.H + h + n) * a.splits) + blockIdx.x) * (D + 2);
      to[d] = out;
      if (d == 0) to[D] = largest, to[D + 1] = sum;
      continue;
    }
    a.y.at(a.y.head(b, h + n), 0, d) = from_float<T>(sum == 0 ? 0 : out / sum);
    if (d == 0 && a.lse)
      a.lse[b * a.lse_stride[0] + (h + n) * a.lse_stride[1]] = sum == 0 ? -INFINITY : largest + logf(sum);
  }
}

template <class T>
__global__ void join_kernel(Decode<T> a) {
  const Rules& r = a.rules;
  const int64_t b = blockIdx.y, h = blockIdx.x, d = threadIdx.x, D = r.D;
  const float* const parts = a.partials + (b * r.H + h) * a.splits * (D + 2);
  float largest = -INFINITY, sum = 0, out = 0;
  for (int s = 0; s < a.splits; ++s) largest = fmaxf(largest, parts[s * (D + 2) + D]);
  for (int s = 0; s < a.splits; ++s) {
    const float part = weight_of(parts[s * (D + 2) + D], largest);
    sum += part * parts[s * (D + 2) + D + 1];
    out += part * parts[s * (D + 2) + d];
  }
  a.y.at(a.y.head(b, h), 0, d) = from_float<T>(sum == 0 ? 0 : out / sum);
  if (d == 0 && a.lse) a.lse[b * a.lse_stride[0] + h * a.lse_stride[1]] = sum == 0 ? -INFINITY : largest + logf(sum);
}

template <class T, int lanes, int queries>
void run(rgm_queue* q, Decode<T>& d) {
  const Rules& r = d.rules;
  constexpr int64_t least = 128;  // keys of a split
  const int64_t heads = r.H / queries, blocks = r.B * heads, wanted = 8 * q->device->multiprocessors;
  d.splits = static_cast<int>(std::clamp<int64_t>(wanted / blocks, 1, std::max<int64_t>(1, r.Tk / least)));
  if (d.splits > 1) d.partials = scratch<float>(q, Scratch::kPartials, r.B * r.H * d.splits * (r.D + 2));
  const dim3 grid(static_cast<unsigned>(d.splits), static_cast<unsigned>(heads), static_cast<unsigned>(r.B));
  decode_kernel<T, lanes, queries><<<grid, 32 * warps, 0, q->stream>>>(d);
  if (d.splits > 1)
    join_kernel<T>
        <<<dim3(static_cast<unsigned>(r.H), static_cast<unsigned>(r.B)), static_cast<unsigned>(r.D), 0, q->stream>>>(d);
}

template <class T, int lanes>
void with_queries(rgm_queue* q, Decode<T>& d) {
  const int64_t group = d.rules.H / d.rules.Hkv;
  if (group % 4 == 0) return run<T, lanes, 4>(q, d);
  if (group % 2 == 0) return run<T, lanes, 2>(q, d);
  run<T, lanes, 1>(q, d);
}

bool in_eights(const rgm_view* v) {
  const auto whole = [&](int i) { return v->shape[i] == 1 || v->stride[i] % 8 == 0; };
  return v->stride[3] == 1 && whole(0) && whole(1) && whole(2) && reinterpret_cast<uintptr_t>(v->data) % 16 == 0;
}

}  // namespace

bool decode_attention(rgm_queue* q, const rgm_attention& a, const Rules& rules) {
  const int64_t D = rules.D;
  if (rules.Tq != 1 || rules.key || D != rules.Dv || (D != 32 && D != 64 && D != 128 && D != 256) ||
      rules.B > UINT16_MAX || rules.H > UINT16_MAX || !in_eights(a.q) || !in_eights(a.k) || !in_eights(a.v))
    return false;
  with_float(a.q->dtype, "attention", [&](auto t) {
    using T = decltype(t);
    Decode<T> d{rules,  heads<const T>(a.q), heads<const T>(a.k), heads<const T>(a.v), heads<T>(a.y), nullptr, {}, 1,
                nullptr};
    if (a.lse) {
      d.lse = data<float>(*a.lse);
      for (int i = 0; i < 3; ++i) d.lse_stride[i] = a.lse->stride[i];
    }
    switch (D) {
      case 32: return with_queries<T, 4>(q, d);
      case 64: return with_queries<T, 8>(q, d);
      case 128: return with_queries<T, 16>(q, d);
      default: return with_queries<T, 32>(q, d);
    }
  });
  return true;
}

}  // namespace regimen::cudnn
