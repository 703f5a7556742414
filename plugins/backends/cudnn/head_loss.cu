// head_loss.cu - log-probabilities of targets under a language model's head, and their gradient in the same pass over
// the logits. Rows go in chunks: logits for a quarter of a gigabyte of words, never all of them. They are float32, or,
// where the device is asked to, bfloat16, in which case the gradient takes their place.
#include "kernels.hpp"
#include "products.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

constexpr int64_t most_logits = int64_t{1} << 28;  // of a chunk, a gigabyte in float32

template <class L>
struct Head {
  const L* logits;  // (n, line)
  void* gradient;   // (n, line) of x's dtype, or NULL
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

// A row's logits: read from memory once, and again from there or, where it fits, from shared memory. Of float32 the
// first and the last four of every eight lie apart there, so that neighbours meet no bank twice; eight of bfloat16 are
// 16 bytes. Lines are of a multiple of 64.
template <class L, bool kept>
struct Row {
  const L* z;
  float4* shared;
  int64_t eights;
  __device__ Eight<L> read(int64_t begin) const {
    const Eight<L> x = *reinterpret_cast<const Eight<L>*>(z + begin);
    if constexpr (kept && sizeof(L) == 4) {
      shared[begin / 8] = float4{x.at[0], x.at[1], x.at[2], x.at[3]};
      shared[eights + begin / 8] = float4{x.at[4], x.at[5], x.at[6], x.at[7]};
    } else if constexpr (kept) {
      reinterpret_cast<Eight<L>*>(shared)[begin / 8] = x;
    }
    return x;
  }
  __device__ Eight<L> read_again(int64_t begin) const {
    if constexpr (kept && sizeof(L) == 4) {
      const float4 low = shared[begin / 8], high = shared[eights + begin / 8];
      return {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}};
    } else {
      return *(kept ? reinterpret_cast<const Eight<L>*>(shared) + begin / 8
                    : reinterpret_cast<const Eight<L>*>(z + begin));
    }
  }
  __device__ float at(int64_t v) const {
    if (!kept) return to_float(z[v]);
    if (sizeof(L) == 2) return to_float(reinterpret_cast<const L*>(shared)[v]);
    return reinterpret_cast<const float*>(shared + (v & 4 ? eights : 0) + v / 8)[v & 3];
  }
};

// Softmax's arguments; what lies behind the vocabulary counts for nothing.
template <bool capped, class L>
__device__ void values_of(const Head<L>& h, const Eight<L>& logits, int64_t begin, float (&x)[8]) {
#pragma unroll
  for (int k = 0; k < 8; ++k) {
    const float z = to_float(logits.at[k]);
    x[k] = capped ? h.value(z) : h.scale * z;
    if (begin + k >= h.V) x[k] = -INFINITY;
  }
}

constexpr float log2_e = 1.4426950408889634F;
__device__ float power_of_two(float x) {  // within 2 units in the last place
#ifdef __CUDACC__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}

// A block for a row, and one block a multiprocessor, or two in bfloat16: where a row does not fit into shared memory,
// the rows at work fit into the cache, and the second pass finds them there. The largest and the sum are taken in one
// pass.
template <class L>
constexpr int most_threads = sizeof(L) == 4 ? 1024 : 512;

template <class T, class L, bool capped, bool kept>
__global__ void __launch_bounds__(most_threads<L>, sizeof(L) == 4 ? 1 : 2) head_kernel(Head<L> h) {
  extern __shared__ float4 memory[];
  const int64_t row = blockIdx.x, step = int64_t{8} * blockDim.x;
  const Row<L, kept> logits{h.logits + row * h.line, memory, h.line / 8};
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
  float largest = -INFINITY, sum = 0;
#pragma unroll 2
  for (int64_t begin = int64_t{8} * threadIdx.x; begin < (kept ? h.line : h.V); begin += step) {
    float x[8];
    values_of<capped>(h, logits.read(begin), begin, x);
    float here = largest;
#pragma unroll
    for (int k = 0; k < 8; ++k) here = fmaxf(here, x[k]);
    if (here == -INFINITY) {  // nothing else so far, or NaN, which no maximum is: that goes into the sum
#pragma unroll
      for (int k = 0; k < 8; ++k) sum += x[k] != x[k] ? x[k] : 0;
      continue;
    }
    const float offset = -here * log2_e;
    sum *= power_of_two(fmaf(largest, log2_e, offset));
    largest = here;
#pragma unroll
    for (int k = 0; k < 8; ++k) sum += power_of_two(fmaf(x[k], log2_e, offset));
  }
  const float most = over_block(largest, Max{});
  sum = over_block(largest == -INFINITY ? sum : sum * expf(largest - most), Sum{});
  const float log_sum = most + logf(sum);
  if (threadIdx.x == 0 && h.logprobs) h.logprobs[row * h.logprob_step] = h.value(logits.at(target)) - log_sum;
  if (h.entropy) {
    float expected = 0;
    for (int64_t v = threadIdx.x; v < h.V; v += blockDim.x) {
      const float x = h.value(logits.at(v));
      expected += expf(x - log_sum) * x;
    }
    expected = over_block(expected, Sum{});
    if (threadIdx.x == 0) h.entropy[row * h.entropy_step] = log_sum - expected;
  }
  if (!gradient) return;
  // d(-weight logprob)/dz = weight (p - onehot(target)); what fills the line up is 0
  const float weight = h.weights[row * h.weight_step], offset = -log_sum * log2_e;
#pragma unroll 2
  for (int64_t begin = int64_t{8} * threadIdx.x; begin < h.line; begin += step) {
    const Eight<L> raw = logits.read_again(begin);
    float x[8];
    values_of<capped>(h, raw, begin, x);
    Eight<T> out;
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      const float p = power_of_two(fmaf(x[k], log2_e, offset)) - (begin + k == target);
      const float slope = capped ? h.slope(to_float(raw.at[k])) : h.scale;
      out.at[k] = from_float<T>(begin + k < h.V ? weight * p * slope : 0);
    }
    *reinterpret_cast<Eight<T>*>(gradient + row * h.line + begin) = out;
  }
}

constexpr int64_t own_memory = 1024;  // shared, for what the threads tell each other
bool keeps_rows(const rgm_queue* q, int64_t line, size_t size) {
  return line * static_cast<int64_t>(size) + own_memory <= q->device->shared_memory;
}

template <class L>
void launch(rgm_queue* q, const Head<L>& h, rgm_dtype dtype, int64_t rows) {
  const size_t bytes = static_cast<size_t>(h.line) * sizeof(L);
  const bool keeps = (h.gradient || h.entropy) && keeps_rows(q, h.line, sizeof(L));
  const int threads = h.V > 2048 ? most_threads<L> : 256;
  const auto with = [&](auto t, auto capped, auto kept) {
    const auto run = head_kernel<decltype(t), L, capped.value, kept.value>;
    if (kept.value) let_use(run, q->device->shared_memory - own_memory, "head_loss");
    run<<<static_cast<unsigned>(rows), threads, kept.value ? bytes : 0, q->stream>>>(h);
  };
  const auto either = [](bool yes, auto&& body) { yes ? body(std::true_type{}) : body(std::false_type{}); };
  const auto of = [&](auto t) {
    either(h.softcap > 0, [&](auto capped) { either(keeps, [&](auto kept) { with(t, capped, kept); }); });
  };
  if constexpr (sizeof(L) == 2)
    of(L{});
  else
    with_float(dtype, "head_loss", of);
}

rgm_view rows_of(const rgm_view& v, int64_t begin, int64_t n) {
  rgm_view out = v;
  out.shape[0] = n;
  out.data = static_cast<char*>(v.data) + begin * v.stride[0] * static_cast<int64_t>(size_of(v.dtype));
  return out;
}
// dw (V, C) += dz^T x. Its own product is for the words behind the last whole tile, of dz's whole line: products of odd
// sizes run on slower kernels.
void add_head_gradient(rgm_queue* q, const rgm_view& dz, const rgm_view& x, const rgm_view& dw) {
  const int64_t V = dw.shape[0], C = dw.shape[1], line = dz.stride[0], n = dz.shape[0];
  const bool parts = dz.shape[1] == line && V % 64 != 0;
  const int64_t whole = parts ? V - V % 64 : V;
  const rgm_view front{dz.data, dz.dtype, 2, {whole, n}, {1, line}}, dw_front = rows_of(dw, 0, whole);
  check(matmul(q, 1, &front, &x, 1, &dw_front));
  if (!parts) return;
  const rgm_view back{static_cast<char*>(dz.data) + whole * static_cast<int64_t>(size_of(dz.dtype)),
                      dz.dtype,
                      2,
                      {line - whole, n},
                      {1, line}},
      sum{scratch<float>(q, Scratch::kRest, (line - whole) * C), RGM_F32, 2, {line - whole, C}, {C, 1}},
      words = rows_of(sum, 0, V - whole), dw_back = rows_of(dw, whole, V - whole);
  check(matmul(q, 1, &back, &x, 0, &sum));
  check(binary(q, RGM_ADD, &dw_back, &words, &dw_back));
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
    const auto many = static_cast<size_t>(chunk * line);
    const rgm_dtype made = x.dtype == RGM_BF16 && q->device->narrow_logits ? RGM_BF16 : RGM_F32;
    void* const logits = q->scratch.bytes(Scratch::kLogits, many * size_of(made));
    // Over a row that was read into shared memory its gradient can be written.
    const bool in_place = made == RGM_BF16 && keeps_rows(q, line, size_of(made));
    void* const gradient = !needs_gradient ? nullptr
                           : in_place      ? logits
                                           : q->scratch.bytes(Scratch::kGradient, many * size_of(x.dtype));
    // The products run best over whole tiles: 16-bit weights are copied once, with lines of 0 behind the vocabulary.
    rgm_view padded = w;
    const bool fills_up = x.dtype == RGM_BF16 && V % 64 != 0;
    if (!fills_up && !is_operand(w)) {  // copied here, as each of the products below would
      padded = {
          q->scratch.bytes(Scratch::kHead, static_cast<size_t>(V * C) * size_of(w.dtype)), w.dtype, 2, {V, C}, {C, 1}};
      check(copy(q, &w, &padded));
    }
    if (fills_up) {
      padded = {q->scratch.bytes(Scratch::kHead, static_cast<size_t>(line * C) * size_of(w.dtype)),
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
    const Matrix head = matrix_of(turned);  // (C, V)
    for (int64_t begin = 0; begin < M; begin += chunk) {
      const int64_t n = std::min(chunk, M - begin);
      const rgm_view part = rows_of(x, begin, n);
      Product p;
      p.M = n, p.N = padded.shape[0], p.K = C;
      p.a = operand(q, part, Scratch::kCopyA);
      p.b = head;
      p.y = {logits, made, line, 1, 0};
      multiply(q, p);
      with_float(made, "head_loss", [&](auto l) {
        using L = decltype(l);
        const Head<L> h{static_cast<const L*>(logits),
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
        launch(q, h, x.dtype, n);
      });
      if (!needs_gradient) continue;
      const rgm_view dz{gradient, x.dtype, 2, {n, padded.shape[0]}, {line, 1}};
      if (a.dx) {
        const rgm_view dx = rows_of(*a.dx, begin, n);
        check(matmul(q, 1, &dz, &padded, 0, &dx));
      }
      if (a.dw) add_head_gradient(q, dz, part, *a.dw);
    }
  });
}

}  // namespace regimen::cudnn
