// attention_mask.cu - what cuDNN is told of segments, windows and prefixes: a bias that is 0 where a query sees a key
// and takes the score out of reach where it does not; and what has to be put right for queries that see no key at all.
#include "attention.cuh"

namespace regimen::cudnn {
namespace {

constexpr float out_of_reach = -30000;  // finite, as a row of -infinity alone has no softmax

// A block for a query, eight keys a thread at a time. What Rules::sees says, whose numbers fit 32 bits here.
__global__ void mask_kernel(Rules r, BF16* bias, int64_t line, uint8_t* sees_none) {
  const int64_t i = blockIdx.x, b = blockIdx.y, in_use = r.used(b);
  const bool by_segment = r.has(RGM_ATTENTION_SEGMENTS);
  const int32_t mine = by_segment ? r.q_segments.at(b, i) : 1;
  const int first = static_cast<int>(r.first_key(i, in_use)), prefix = static_cast<int>(min(r.prefix, r.Tk)),
            end = mine == 0 ? 0 : static_cast<int>(r.end_of_keys(i, in_use)), all = static_cast<int>(line);
  const BF16 within = from_float<BF16>(0), without = from_float<BF16>(out_of_reach);
  BF16* const row = bias + (b * r.Tq + i) * line;
  int any = 0;
  for (int j = static_cast<int>(threadIdx.x) * 8; j < all; j += static_cast<int>(blockDim.x) * 8) {
    Eight<BF16> eight;
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      const int key = j + k;
      bool seen = key < end && (key >= first || key < prefix);
      if (seen && by_segment && key >= prefix) seen = r.k_segments.at(b, key) == mine;
      eight.at[k] = seen ? within : without;
      any |= seen;
    }
    *reinterpret_cast<Eight<BF16>*>(row + j) = eight;
  }
  any = __syncthreads_or(any);
  if (threadIdx.x == 0) sees_none[b * r.Tq + i] = !any;
}

// y = 0 and lse = -infinity for a query that sees none.
struct Clear {
  Heads<BF16> y;
  float* lse;
  const uint8_t* sees_none;
  int64_t Tq, H, Dv;
};
__global__ void clear_kernel(Clear c) {
  const int64_t i = blockIdx.x, b = blockIdx.y;
  if (!c.sees_none[b * c.Tq + i]) return;
  for (int64_t e = threadIdx.x; e < c.H * c.Dv; e += blockDim.x)
    c.y.at(c.y.head(b, e / c.Dv), i, e % c.Dv) = from_float<BF16>(0);
  for (int64_t h = threadIdx.x; h < c.H; h += blockDim.x) c.lse[(b * c.H + h) * c.Tq + i] = -INFINITY;
}

// exp(score - infinity) is 0, so that such a query passes no gradient on.
__global__ void turn_kernel(const float* lse, float* out, int64_t n) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) out[i] = lse[i] == -INFINITY ? INFINITY : lse[i];
}

}  // namespace

Mask attention_mask(rgm_queue* q, const rgm_attention& a) {
  const Rules r = rules_of(a, "attention");
  Mask mask;
  mask.batches = a.features & RGM_ATTENTION_SEGMENTS ? r.B : 1;
  mask.line = (r.Tk + 7) / 8 * 8;
  mask.sees_none = scratch<uint8_t>(q, Scratch::kSeesNone, r.B * r.Tq);
  auto* const bias = scratch<BF16>(q, Scratch::kMask, mask.batches * r.Tq * mask.line);
  mask.bias = bias;
  mask_kernel<<<dim3(static_cast<unsigned>(r.Tq), static_cast<unsigned>(mask.batches)), 128, 0, q->stream>>>(
      r, bias, mask.line, mask.sees_none);
  return mask;
}

void clear_unseeing(rgm_queue* q, const rgm_attention& a, const Mask& mask) {
  if (mask.batches != a.q->shape[0]) return;  // without segments every query sees itself
  const Clear c{heads<BF16>(a.y), data<float>(*a.lse), mask.sees_none, a.q->shape[1], a.q->shape[2], a.v->shape[3]};
  clear_kernel<<<dim3(static_cast<unsigned>(c.Tq), static_cast<unsigned>(mask.batches)), 128, 0, q->stream>>>(c);
}

float* lse_for_gradient(rgm_queue* q, const rgm_attention& a) {
  const int64_t n = count(*a.lse);
  auto* const out = scratch<float>(q, Scratch::kStats, n);
  turn_kernel<<<blocks_for(n), threads_in_block, 0, q->stream>>>(data<const float>(*a.lse), out, n);
  return out;
}

}  // namespace regimen::cudnn
