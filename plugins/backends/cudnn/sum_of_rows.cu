// sum_of_rows.cu - the sum of a matrix' rows, which is the gradient of a bias, and in the same pass a copy in bfloat16.
// Parts of the rows are summed by a block each, and a second launch adds the parts up, in the same order every time.
#include "kernels.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

constexpr int lanes = 32, lines = 8, wide = 8;  // a block: 32 times 8 neighbours side by side, 8 rows at once

template <class T>
__global__ void __launch_bounds__(lanes* lines)
    part_kernel(const T* x, BF16* copy, int64_t rows, int64_t columns, int64_t line, float* partials, int64_t share) {
  __shared__ float sums[lines][lanes * wide];
  const int64_t c = (int64_t{blockIdx.x} * lanes + threadIdx.x) * wide, part = blockIdx.y;
  float sum[wide] = {};
  if (c < columns) {
    const int64_t end = min((part + 1) * share, rows);
#pragma unroll 4
    for (int64_t j = part * share + threadIdx.y; j < end; j += lines) {
      const Eight<T> here = *reinterpret_cast<const Eight<T>*>(x + j * line + c);
      Eight<BF16> out;
#pragma unroll
      for (int k = 0; k < wide; ++k) {
        sum[k] += to_float(here.at[k]);
        out.at[k] = from_float<BF16>(to_float(here.at[k]));
      }
      if (copy) *reinterpret_cast<Eight<BF16>*>(copy + j * columns + c) = out;
    }
  }
#pragma unroll
  for (int k = 0; k < wide; ++k) sums[threadIdx.y][threadIdx.x * wide + k] = sum[k];
  __syncthreads();
  const int own = static_cast<int>(threadIdx.y * lanes + threadIdx.x);
  const int64_t column = int64_t{blockIdx.x} * lanes * wide + own;
  if (column >= columns) return;
  float total = sums[0][own];
#pragma unroll
  for (int k = 1; k < lines; ++k) total += sums[k][own];
  partials[part * columns + column] = total;
}

// 32 columns side by side, 32 parts at once.
constexpr int parts_at_once = 32;
__global__ void __launch_bounds__(lanes* parts_at_once)
    add_kernel(const float* partials, int64_t parts, int64_t columns, float* y, int64_t step, bool adds) {
  __shared__ float sums[parts_at_once][lanes];
  const int64_t c = int64_t{blockIdx.x} * lanes + threadIdx.x;
  float sum = 0;
  if (c < columns)
    for (int64_t p = threadIdx.y; p < parts; p += parts_at_once) sum += partials[p * columns + c];
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || c >= columns) return;
#pragma unroll
  for (int k = 1; k < parts_at_once; ++k) sum += sums[k][threadIdx.x];
  y[c * step] = adds ? y[c * step] + sum : sum;
}

bool in_eights(const rgm_view& x) {
  return x.stride[1] == 1 && x.shape[1] % wide == 0 && x.stride[0] % wide == 0 &&
         reinterpret_cast<uintptr_t>(x.data) % 16 == 0;
}

}  // namespace

void sum_of_rows(rgm_queue* q, const rgm_view& x, const rgm_view* copied, const rgm_view& y, bool adds) {
  const int64_t rows = x.shape[0], columns = x.shape[1];
  if (!in_eights(x) || (copied && copied->dtype != RGM_BF16)) {
    if (copied) check(copy(q, &x, copied));
    rgm_view sum{y.data, RGM_F32, 2, {1, columns}, {0, y.stride[0]}};
    if (adds) sum.data = scratch<float>(q, Scratch::kBias, columns), sum.stride[1] = 1;
    check(reduce(q, RGM_SUM, 1, &x, &sum));
    if (!adds) return;
    const rgm_view added{sum.data, RGM_F32, 1, {columns}, {1}};
    return check(binary(q, RGM_ADD, &y, &added, &y));
  }
  const int64_t tiles = (columns + lanes * wide - 1) / (lanes * wide), wanted = 8 * q->device->multiprocessors;
  const int64_t parts = std::clamp<int64_t>(std::min(wanted / tiles, rows / (4 * lines)), 1, 1024);
  const int64_t share = (rows + parts - 1) / parts;
  auto* partials = scratch<float>(q, Scratch::kPartials, parts * columns);
  with_float(x.dtype, "linear_grad", [&](auto t) {
    using T = decltype(t);
    part_kernel<T>
        <<<dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(parts)), dim3(lanes, lines), 0, q->stream>>>(
            data<const T>(x), copied ? data<BF16>(*copied) : nullptr, rows, columns, x.stride[0], partials, share);
  });
  add_kernel<<<static_cast<unsigned>((columns + lanes - 1) / lanes), dim3(lanes, parts_at_once), 0, q->stream>>>(
      partials, parts, columns, data<float>(y), y.stride[0], adds);
}

}  // namespace regimen::cudnn
