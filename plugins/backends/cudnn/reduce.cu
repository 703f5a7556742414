// reduce.cu - sums, means, maxima and log-sum-exps over any axes, always in the same order. Sums down the columns of
// long matrices (a bias' gradient) are taken in parts that a second launch adds up.
#include <cmath>

#include "kernels.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

constexpr int64_t few = 32, long_line = 4096;
constexpr int64_t chain = 512;  // numbers that a thread adds up in one go: longer ones lose digits

struct Reduction {
  Axes<2> kept;     // of x and y
  Axes<1> reduced;  // of x
  Any x, y;
  int op;
  // Number j of what becomes one element of y; its first is at `at`.
  __device__ float number(int64_t at, int64_t j) const {
    int64_t from[1];
    reduced.at(j, from);
    return x.number(at + from[0]);
  }
};

__device__ float neutral(int op) { return op == RGM_MAXIMUM || op == RGM_LOGSUMEXP ? -INFINITY : 0; }
// NaN wins over any maximum.
__device__ float larger(float a, float b) { return a > b || a != a ? a : b; }
struct Larger {
  __device__ float operator()(float a, float b) const { return larger(a, b); }
};

// One thread for one element of y, of few of x.
struct Few {
  Reduction r;
  __device__ void operator()(int64_t, const int64_t (&at)[2]) const {
    const auto x = [&](int64_t j) { return r.number(at[0], j); };
    const bool maximum = r.op == RGM_MAXIMUM || r.op == RGM_LOGSUMEXP;
    float sum = neutral(r.op);
    for (int64_t j = 0; j < r.reduced.count; ++j) sum = maximum ? larger(sum, x(j)) : sum + x(j);
    if (r.op == RGM_LOGSUMEXP && isfinite(sum)) {
      float total = 0;
      for (int64_t j = 0; j < r.reduced.count; ++j) total += expf(x(j) - sum);
      sum += logf(total);
    }
    r.y.put(at[1], r.op == RGM_MEAN ? sum / static_cast<float>(r.reduced.count) : sum);
  }
};

// What n numbers x(j) become, on every thread of a block.
template <class X>
__device__ float over_numbers(int op, int64_t n, X x) {
  const bool maximum = op == RGM_MAXIMUM || op == RGM_LOGSUMEXP;
  const int64_t step = chain * blockDim.x;
  float sum = neutral(op);
  for (int64_t begin = threadIdx.x; begin < n; begin += step) {
    const int64_t end = min(begin + step, n);
    float part = neutral(op);
#pragma unroll 4
    for (int64_t j = begin; j < end; j += blockDim.x) part = maximum ? larger(part, x(j)) : part + x(j);
    sum = maximum ? larger(sum, part) : sum + part;
  }
  sum = maximum ? over_block(sum, Larger{}) : over_block(sum, Sum{});
  if (op == RGM_MEAN) return sum / static_cast<float>(n);
  if (op != RGM_LOGSUMEXP || !isfinite(sum)) return sum;
  const float largest = sum;
  float total = 0;
#pragma unroll 4
  for (int64_t j = threadIdx.x; j < n; j += blockDim.x) total += expf(x(j) - largest);
  return largest + logf(over_block(total, Sum{}));
}

// One block for one element of y.
__global__ void wide_kernel(Reduction r) {
  for (int64_t i = blockIdx.x; i < r.kept.count; i += gridDim.x) {
    int64_t at[2];
    r.kept.at(i, at);
    const float y = over_numbers(r.op, r.reduced.count, [&](int64_t j) { return r.number(at[0], j); });
    if (threadIdx.x == 0) r.y.put(at[1], y);
    __syncthreads();
  }
}

// The same of lines without gaps.
template <class T>
__global__ void __launch_bounds__(1024) lines_kernel(Reduction r, const T* x) {
  for (int64_t i = blockIdx.x; i < r.kept.count; i += gridDim.x) {
    int64_t at[2];
    r.kept.at(i, at);
    const T* line = x + at[0];
    const float y = over_numbers(r.op, r.reduced.count, [&](int64_t j) { return to_float(line[j]); });
    if (threadIdx.x == 0) r.y.put(at[1], y);
    __syncthreads();
  }
}

// One thread column for one element of y: 32 neighbours side by side, 8 rows at once; part p takes its share of rows.
template <class T>
__global__ void tall_kernel(Reduction r, const T* x, float* partials, int64_t share) {
  __shared__ float sums[8][33];
  const int64_t i = int64_t{blockIdx.x} * 32 + threadIdx.x, part = blockIdx.y;
  const bool maximum = r.op == RGM_MAXIMUM;
  float sum = neutral(r.op);
  if (i < r.kept.count) {
    int64_t at[2], from[1];
    r.kept.at(i, at);
    const int64_t end = min((part + 1) * share, r.reduced.count);
    for (int64_t j = part * share + threadIdx.y; j < end; j += 8) {
      r.reduced.at(j, from);
      const float value = to_float(x[at[0] + from[0]]);
      sum = maximum ? larger(sum, value) : sum + value;
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || i >= r.kept.count) return;
  for (int k = 1; k < 8; ++k) sum = maximum ? larger(sum, sums[k][threadIdx.x]) : sum + sums[k][threadIdx.x];
  partials[part * r.kept.count + i] = sum;
}

// The same for the columns of a matrix without gaps, four side by side on a thread.
template <class T>
__global__ void columns_kernel(const T* x, int64_t rows, int64_t columns, int64_t line, float* partials,
                               int64_t share) {
  __shared__ float sums[8][128];
  const int64_t c = (int64_t{blockIdx.x} * 32 + threadIdx.x) * 4, part = blockIdx.y;
  float sum[4] = {};
  if (c < columns) {
    const int64_t end = min((part + 1) * share, rows);
#pragma unroll 4
    for (int64_t j = part * share + threadIdx.y; j < end; j += 8) {
      const Four<T> here = *reinterpret_cast<const Four<T>*>(x + j * line + c);
#pragma unroll
      for (int k = 0; k < 4; ++k) sum[k] += to_float(here.at[k]);
    }
  }
#pragma unroll
  for (int k = 0; k < 4; ++k) sums[threadIdx.y][threadIdx.x * 4 + k] = sum[k];
  __syncthreads();
  const int own = static_cast<int>(threadIdx.y * 32 + threadIdx.x);
  const int64_t column = int64_t{blockIdx.x} * 128 + own;
  if (own >= 128 || column >= columns) return;
  float total = sums[0][own];
  for (int k = 1; k < 8; ++k) total += sums[k][own];
  partials[part * columns + column] = total;
}

struct AddParts {
  const float* partials;
  int64_t parts, count, reduced;
  Any y;
  int op;
  __device__ void operator()(int64_t i, const int64_t (&at)[2]) const {
    float sum = partials[i];
    for (int64_t p = 1; p < parts; ++p) {
      const float value = partials[p * count + i];
      sum = op == RGM_MAXIMUM ? larger(sum, value) : sum + value;
    }
    y.put(at[1], op == RGM_MEAN ? sum / static_cast<float>(reduced) : sum);
  }
};

}  // namespace

rgm_status reduce(rgm_queue* q, int32_t op, uint32_t axes, const rgm_view* x, const rgm_view* y) {
  return kernel(q, "reduce", [&] {
    if (op < RGM_SUM || op > RGM_LOGSUMEXP) unsupported("reduce: operation " + std::to_string(op));
    if (!is_float(x->dtype) || !is_float(y->dtype)) unsupported("reduce: floats");
    rgm_view kept = *x;
    for (int32_t i = 0; i < x->rank; ++i)
      if (axes >> i & 1) kept.shape[i] = 1;
    require(same_shape(kept, *y), "reduce: y has the shape of x with the reduced axes of size 1");
    const Reduction r{axes_of<2>({&kept, y}), axes_of<1>({x}, axes), any(*x), any(*y), op};
    if (r.kept.count == 0) return;
    if (r.reduced.count <= few) return each<2>(q, r.kept, Few{r});
    const bool columns = r.kept.rank >= 1 && r.kept.stride[0][r.kept.rank - 1] == 1 && r.kept.count >= 32 &&
                         r.reduced.count >= 8 && op != RGM_LOGSUMEXP && x->dtype != RGM_F16;
    if (!columns) {
      const unsigned blocks = blocks_for(r.kept.count, 1);
      const bool line = r.reduced.rank == 1 && r.reduced.stride[0][0] == 1 && x->dtype != RGM_F16;
      if (!line) {
        wide_kernel<<<blocks, threads_in_block, 0, q->stream>>>(r);
        return;
      }
      const int threads = r.reduced.count >= long_line ? 1024 : threads_in_block;
      return with_float(x->dtype, "reduce", [&](auto t) {
        using T = decltype(t);
        lines_kernel<T><<<blocks, threads, 0, q->stream>>>(r, data<const T>(*x));
      });
    }
    const bool fours = op != RGM_MAXIMUM && r.kept.rank == 1 && r.reduced.rank == 1 && r.kept.count % 4 == 0 &&
                       r.reduced.stride[0][0] % 4 == 0 && reinterpret_cast<uintptr_t>(x->data) % 16 == 0;
    const int64_t wide = fours ? 128 : 32, tiles = (r.kept.count + wide - 1) / wide,
                  wanted = 8 * q->device->multiprocessors;
    const int64_t parts = std::clamp<int64_t>(std::min(wanted / tiles, r.reduced.count / 64), 1, 512);
    const int64_t share = (r.reduced.count + parts - 1) / parts;
    auto* partials = scratch<float>(q, Scratch::kPartials, parts * r.kept.count);
    const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(parts)), block(32, 8);
    with_float(x->dtype, "reduce", [&](auto t) {
      using T = decltype(t);
      if (fours)
        columns_kernel<T><<<grid, block, 0, q->stream>>>(data<const T>(*x), r.reduced.count, r.kept.count,
                                                         r.reduced.stride[0][0], partials, share);
      else
        tall_kernel<T><<<grid, block, 0, q->stream>>>(r, data<const T>(*x), partials, share);
    });
    each<2>(q, r.kept, AddParts{partials, parts, r.kept.count, r.reduced.count, any(*y), op});
  });
}

}  // namespace regimen::cudnn
