// sample.cu - a token a row, without sorting: a block for a row looks for the value at which a count of tokens, or the
// sum of their probabilities, passes what is wanted, two bits of the value at a time. Sums are of whole numbers, so
// that their order means nothing.
#include "kernels.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

constexpr int threads = 1024;
constexpr uint64_t one = uint64_t{1} << 40;  // a probability of 1

struct Sample {
  const float* x;
  const int32_t* draws;
  int32_t* tokens;
  float* logprobs;
  int64_t V, x_row, x_step, draw_step, token_step, logprob_step, top_k;
  double top_p;
  bool has_min_p;
  float log_min_p;
  bool kept;  // a row fits into shared memory
};

// Orders as the values do.
__device__ uint32_t key_of(float x) {
  const uint32_t bits = __float_as_uint(x == 0 ? 0.0f : x);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ float value_of(uint32_t key) { return __uint_as_float(key >> 31 ? key & 0x7FFFFFFF : ~key); }
// The intrinsics keep what is told of each operation: nothing is fused.
__device__ float multiplied_added(float a, float b, float c) { return __fadd_rn(__fmul_rn(a, b), c); }
__device__ uint64_t count_of(float x) {
  if (!(x >= -30)) return 0;
  x = fminf(x, 0);
  const float n = rintf(__fmul_rn(x, 1.44269504f));
  const float r = multiplied_added(n, 2.12194440e-4f, multiplied_added(n, -0.693359375f, x));
  float q = multiplied_added(1.9875691500e-4f, r, 1.3981999507e-3f);
  q = multiplied_added(q, r, 8.3334519073e-3f);
  q = multiplied_added(q, r, 4.1665795894e-2f);
  q = multiplied_added(q, r, 1.6666665459e-1f);
  q = multiplied_added(q, r, 5.0000001201e-1f);
  const float p = __fadd_rn(multiplied_added(q, __fmul_rn(r, r), r), 1);
  return static_cast<uint64_t>(
      rintf(__fmul_rn(p, __uint_as_float(static_cast<uint32_t>(static_cast<int>(n) + 167) << 23))));
}

struct Row {
  const float* x;
  int64_t V, step;
  __device__ float at(int64_t i) const { return x[i * step]; }
};

// Of a token: 1, or its probability.
template <bool tokens>
__device__ uint64_t measure(float x) {
  return tokens ? 1 : count_of(x);
}

struct Found {
  uint32_t key = 0;
  uint64_t above = 0;  // the measure of all that are likelier
};

// The value at which the measure, likeliest first, passes `wanted`, which is less than that of all.
template <bool tokens>
__device__ Found find(const Row& row, uint64_t wanted) {
  Found found;
  for (int shift = 30; shift >= 0; shift -= 2) {
    const uint32_t first = found.key | 1u << shift, second = found.key | 2u << shift, third = found.key | 3u << shift;
    uint64_t sums[3] = {0, 0, 0};  // from each of the three on
    for (int64_t i = threadIdx.x; i < row.V; i += threads) {
      const float x = row.at(i);
      const uint32_t key = key_of(x);
      if (key < first) continue;
      const uint64_t m = measure<tokens>(x);
      sums[0] += m;
      sums[1] += key >= second ? m : 0;
      sums[2] += key >= third ? m : 0;
    }
#pragma unroll
    for (uint64_t& sum : sums) sum = over_block(sum, Sum{});
    uint32_t digit = 3;
    while (digit > 0 && sums[digit - 1] <= wanted) --digit;
    if (digit < 3) found.above = sums[digit];
    found.key |= digit << shift;
  }
  return found;
}

__device__ uint64_t total(const Row& row) {
  uint64_t sum = 0;
  for (int64_t i = threadIdx.x; i < row.V; i += threads) sum += count_of(row.at(i));
  return over_block(sum, Sum{});
}
// The probability of what is likelier than `key`.
__device__ uint64_t above(const Row& row, uint32_t key) {
  uint64_t sum = 0;
  for (int64_t i = threadIdx.x; i < row.V; i += threads)
    if (const float x = row.at(i); key_of(x) > key) sum += count_of(x);
  return over_block(sum, Sum{});
}

// The n-th token, from 0, whose value has this key, to every thread. Each looks through a part of the row.
__device__ int64_t equal_one(const Row& row, uint32_t key, uint64_t n) {
  __shared__ unsigned counts[threads];
  __shared__ int64_t token;
  const int64_t part = (row.V + threads - 1) / threads, begin = threadIdx.x * part, end = min(begin + part, row.V);
  unsigned mine = 0;
  for (int64_t i = begin; i < end; ++i) mine += key_of(row.at(i)) == key;
  counts[threadIdx.x] = mine;
  __syncthreads();
  uint64_t before = 0;
  for (unsigned t = 0; t < threadIdx.x; ++t) before += counts[t];
  if (before <= n && n < before + mine)
    for (int64_t i = begin; i < end; ++i)
      if (key_of(row.at(i)) == key && before++ == n) token = i;
  __syncthreads();
  return token;
}

// Which of all, by the limits and the draw.
__device__ Found drawn(const Row& row, const Sample& s, float largest, uint32_t draw, uint64_t& number) {
  const bool limited = s.top_k > 0 && s.top_k < row.V;
  uint64_t all = one, of_all = 0;
  if (limited) {
    const Found last = find<true>(row, static_cast<uint64_t>(s.top_k - 1));
    all = above(row, last.key) + (static_cast<uint64_t>(s.top_k) - last.above) * count_of(value_of(last.key));
  }
  of_all = total(row);
  if (s.top_p < 1 && of_all > 0) {
    const double part = ceil(s.top_p * static_cast<double>(all));
    uint64_t wanted = part < 1 ? 1 : static_cast<uint64_t>(part);
    wanted = wanted > of_all ? of_all : wanted;
    const Found last = find<false>(row, wanted - 1);
    const uint64_t each = count_of(value_of(last.key));
    all = last.above + (wanted - last.above + each - 1) / each * each;
  }
  if (s.has_min_p) {
    // Every limit leaves the first tokens, likeliest first: all of them together leave what the strictest does.
    const uint64_t likely = above(row, key_of(__fadd_rn(largest, s.log_min_p)) - 1);
    all = (limited || s.top_p < 1) && all < likely ? all : likely;
  }
  uint64_t wanted = __umul64hi(uint64_t{draw} << 32, all);
  number = 0;
  if (of_all == 0) return find<true>(row, 0);
  if (wanted >= of_all) wanted = of_all - 1;
  const Found found = find<false>(row, wanted);
  number = (wanted - found.above) / count_of(value_of(found.key));
  return found;
}

__global__ void __launch_bounds__(threads, 1) sample_kernel(Sample s) {
  extern __shared__ float memory[];
  const int64_t b = blockIdx.x;
  Row row{s.x + b * s.x_row, s.V, s.x_step};
  float largest = -INFINITY;
  int broken = 0;
  for (int64_t i = threadIdx.x; i < row.V; i += threads) {
    const float x = row.at(i);
    if (s.kept) memory[i] = x;
    largest = fmaxf(largest, x);
    broken |= isnan(x);
  }
  largest = over_block(largest, Max{});
  broken = __syncthreads_or(broken);
  if (s.kept) row = {memory, s.V, 1};
  int64_t token = -1;
  if (!broken && !isinf(largest)) {
    uint64_t number = 0;
    Found found{key_of(largest), 0};
    if (s.top_k != 1) found = drawn(row, s, largest, static_cast<uint32_t>(s.draws[b * s.draw_step]), number);
    token = equal_one(row, found.key, number);
  }
  if (threadIdx.x != 0) return;
  s.tokens[b * s.token_step] = static_cast<int32_t>(token);
  s.logprobs[b * s.logprob_step] = token < 0 ? NAN : row.at(token);
}

}  // namespace

rgm_status sample(rgm_queue* q, const rgm_sample* args) {
  return kernel(q, "sample", [&] {
    const rgm_sample& a = *args;
    accept_features(a.features, RGM_SAMPLE_MIN_P, "sample");
    const rgm_view &x = *a.x, &draws = *a.draws, &tokens = *a.tokens, &logprobs = *a.logprobs;
    require(x.rank == 2 && x.dtype == RGM_F32 && x.shape[1] > 0, "sample: x is (B, V) in float32");
    for (const rgm_view* v : {&draws, &tokens, &logprobs})
      require(v->rank == 1 && v->shape[0] == x.shape[0] && v->dtype == (v == &logprobs ? RGM_F32 : RGM_I32),
              "sample: draws and tokens are (B) in int32, logprobs in float32");
    if (x.shape[0] == 0) return;
    constexpr int64_t own = 8192;  // of shared memory, for what the threads tell each other
    const int64_t bytes = x.shape[1] * static_cast<int64_t>(sizeof(float));
    const bool kept = bytes + own <= q->device->shared_memory;
    const Sample s{data<const float>(x),
                   data<const int32_t>(draws),
                   data<int32_t>(tokens),
                   data<float>(logprobs),
                   x.shape[1],
                   x.stride[0],
                   x.stride[1],
                   draws.stride[0],
                   tokens.stride[0],
                   logprobs.stride[0],
                   a.top_k,
                   a.top_p,
                   (a.features & RGM_SAMPLE_MIN_P) != 0,
                   static_cast<float>(a.log_min_p),
                   kept};
    const auto run = sample_kernel;
    if (kept) let_use(run, q->device->shared_memory - own, "sample");
    run<<<static_cast<unsigned>(x.shape[0]), threads, kept ? static_cast<size_t>(bytes) : 0, q->stream>>>(s);
  });
}

}  // namespace regimen::cudnn
