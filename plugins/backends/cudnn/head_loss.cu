// head_loss.cu - log-probabilities of targets under a language model's head, and their gradient in the same pass over
// the logits. Rows go in chunks: logits in float32 for a quarter of a gigabyte, never all of them.
#include "kernels.hpp"
#include "products.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

constexpr int64_t most_logits = int64_t{1} << 28;  // of a chunk, a gigabyte

struct Head {
  const float* logits;  // (n, line)
  void* gradient;       // (n, line) of x's dtype, or NULL
  const int32_t* targets;
  float *logprobs, *entropy;
  const float* weights;
  int64_t target_step, logprob_step, entropy_step, weight_step, V, line;
  float scale, softcap;
  int* fault;
  // softmax's argument, and its slope
  __device__ float value(float x) const { return scale * (softcap > 0 ? softcap * tanhf(x / softcap) : x); }
  __device__ float slope(float x) const {
    if (softcap <= 0) return scale;
    const float t = tanhf(x / softcap);
    return scale * (1 - t * t);
  }
};

// A block for a row: the largest and the sum in one pass, then what is asked for.
template <class T>
__global__ void head_kernel(Head h) {
  const int64_t row = blockIdx.x;
  const float* z = h.logits + row * h.line;
  const int target = h.targets[row * h.target_step];
  T* gradient = static_cast<T*>(h.gradient);
  if (target < 0 || target >= h.V) {
    if (target >= h.V) *h.fault = kTargetOutside;
    if (threadIdx.x == 0 && h.logprobs) h.logprobs[row * h.logprob_step] = 0;
    if (threadIdx.x == 0 && h.entropy) h.entropy[row * h.entropy_step] = 0;
    if (gradient)
      for (int64_t v = threadIdx.x; v < h.line; v += blockDim.x) gradient[row * h.line + v] = from_float<T>(0);
    return;
  }
  // Four elements a thread at a time: lines are of a multiple of 64.
  const auto* fours = reinterpret_cast<const float4*>(z);
  const auto four = [&](int64_t i, float(&x)[4]) {
    const float4 here = fours[i];
    x[0] = here.x, x[1] = here.y, x[2] = here.z, x[3] = here.w;
#pragma unroll
    for (int k = 0; k < 4; ++k) x[k] = 4 * i + k < h.V ? h.value(x[k]) : -INFINITY;
  };
  const int64_t n = (h.V + 3) / 4;
  float largest = -INFINITY, sum = 0;
#pragma unroll 4
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    float x[4];
    four(i, x);
    const float here = fmaxf(fmaxf(x[0], x[1]), fmaxf(x[2], x[3]));
    if (here > largest) {
      sum *= expf(largest - here);
      largest = here;
    }
    if (largest == -INFINITY) continue;  // nothing but -infinity so far, and NaN
#pragma unroll
    for (int k = 0; k < 4; ++k) sum += expf(x[k] - largest);
  }
  const float most = over_block(largest, Max{});
  sum = over_block(largest == -INFINITY ? sum : sum * expf(largest - most), Sum{});
  const float log_sum = most + logf(sum);
  if (threadIdx.x == 0 && h.logprobs) h.logprobs[row * h.logprob_step] = h.value(z[target]) - log_sum;
  if (h.entropy) {
    float expected = 0;
    for (int64_t v = threadIdx.x; v < h.V; v += blockDim.x) {
      const float x = h.value(z[v]);
      expected += expf(x - log_sum) * x;
    }
    expected = over_block(expected, Sum{});
    if (threadIdx.x == 0) h.entropy[row * h.entropy_step] = log_sum - expected;
  }
  if (!gradient) return;
  // d(-weight logprob)/dz = weight (p - onehot(target)); what fills the line up is 0
  const float weight = h.weights[row * h.weight_step];
  for (int64_t i = threadIdx.x; i < h.line / 4; i += blockDim.x) {
    float x[4];
    four(i, x);
    Four<T> out;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int64_t v = 4 * i + k;
      const float p = expf(x[k] - log_sum) - (v == target);
      out.at[k] = from_float<T>(v < h.V ? weight * p * h.slope(h.softcap > 0 ? z[v] : 0) : 0);
    }
    reinterpret_cast<Four<T>*>(gradient + row * h.line)[i] = out;
  }
}

rgm_view rows_of(const rgm_view& v, int64_t begin, int64_t n) {
  rgm_view out = v;
  out.shape[0] = n;
  out.data = static_cast<char*>(v.data) + begin * v.stride[0] * static_cast<int64_t>(size_of(v.dtype));
  return out;
}
template <class T>
T* row_of(const rgm_view* v, int64_t begin) {
  return v ? data<T>(*v) + begin * v->stride[0] : nullptr;
}

}  // namespace

rgm_status head_loss(rgm_queue* q, const rgm_head_loss* args) {
  return kernel(q, "head_loss", [&] {
    const rgm_head_loss& a = *args;
    accept_features(a.features, RGM_HEAD_SOFTCAP | RGM_HEAD_ENTROPY | RGM_HEAD_GRAD, "head_loss");
    const rgm_view &x = *a.x, &w = *a.w;
    require(x.rank == 2 && w.rank == 2 && x.shape[1] == w.shape[1], "head_loss: x is (M, C), w is (V, C)");
    if (x.dtype != w.dtype || (x.dtype != RGM_F32 && x.dtype != RGM_BF16))
      unsupported("head_loss: x and w in float32 or bfloat16");
    if (a.targets->dtype != RGM_I32) unsupported("head_loss: targets in I32");
    const int64_t M = x.shape[0], C = x.shape[1], V = w.shape[0];
    if (M == 0) return;
    const bool grad = a.features & RGM_HEAD_GRAD, entropy = a.features & RGM_HEAD_ENTROPY,
               needs_gradient = grad && (a.dx || a.dw);
    const int64_t line = (V + 63) / 64 * 64, chunks = (M * line + most_logits - 1) / most_logits,
                  chunk = std::min(((M + chunks - 1) / chunks + 127) / 128 * 128, M);  // equal, and whole tiles
    auto* logits = scratch<float>(q, Scratch::kLogits, chunk * line);
    void* const gradient =
        needs_gradient
            ? q->scratch.bytes(Scratch::kGradient, static_cast<size_t>(chunk * line) * size_of(x.dtype), q->stream)
            : nullptr;
    // The products run best over whole tiles: 16-bit weights are copied once, with lines of 0 behind the vocabulary.
    rgm_view padded = w;
    if (x.dtype == RGM_BF16 && V % 64 != 0 && needs_gradient) {
      padded = {q->scratch.bytes(Scratch::kHead, static_cast<size_t>(line * C) * size_of(w.dtype), q->stream),
                w.dtype,
                2,
                {line, C},
                {C, 1}};
      const rgm_view words = rows_of(padded, 0, V), rest = rows_of(padded, V, line - V);
      check(copy(q, &w, &words));
      check(fill(q, 0, &rest));
    }
    rgm_view turned = padded;
    std::swap(turned.shape[0], turned.shape[1]);
    std::swap(turned.stride[0], turned.stride[1]);
    const Matrix head = operand(q, turned, Scratch::kCopyB);  // (C, V)
    for (int64_t begin = 0; begin < M; begin += chunk) {
      const int64_t n = std::min(chunk, M - begin);
      const rgm_view part = rows_of(x, begin, n);
      Product p;
      p.M = n, p.N = padded.shape[0], p.K = C;
      p.a = operand(q, part, Scratch::kCopyA);
      p.b = head;
      p.y = {logits, RGM_F32, line, 1, 0};
      multiply(q, p);
      const Head h{logits,
                   gradient,
                   row_of<const int32_t>(a.targets, begin),
                   row_of<float>(a.logprobs, begin),
                   entropy ? row_of<float>(a.entropy, begin) : nullptr,
                   needs_gradient ? row_of<const float>(a.weights, begin) : nullptr,
                   a.targets->stride[0],
                   a.logprobs ? a.logprobs->stride[0] : 0,
                   entropy ? a.entropy->stride[0] : 0,
                   needs_gradient ? a.weights->stride[0] : 0,
                   V,
                   line,
                   static_cast<float>(a.scale),
                   a.features & RGM_HEAD_SOFTCAP ? static_cast<float>(a.softcap) : 0,
                   q->fault_on_device};
      const int threads = V > 2048 ? 1024 : 256;
      if (x.dtype == RGM_F32)
        head_kernel<float><<<static_cast<unsigned>(n), threads, 0, q->stream>>>(h);
      else
        head_kernel<BF16><<<static_cast<unsigned>(n), threads, 0, q->stream>>>(h);
      if (!needs_gradient) continue;
      const rgm_view dz{gradient, x.dtype, 2, {n, padded.shape[0]}, {line, 1}},
          dz_turned{gradient, x.dtype, 2, {V, n}, {1, line}};
      if (a.dx) {
        const rgm_view dx = rows_of(*a.dx, begin, n);
        check(matmul(q, 1, &dz, &padded, 0, &dx));
      }
      if (a.dw) check(matmul(q, 1, &dz_turned, &part, 1, a.dw));
    }
  });
}

}  // namespace regimen::cudnn
