// softmax.cu - softmax over any axis, its gradient, and running sums: a block for a line.
#include <cub/block/block_scan.cuh>

#include "kernels.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

template <int N>
struct Lines {  // the lines of N views along one axis
  Axes<N> others;
  int64_t n;
  int64_t step[N];
  Any views[N];
};
template <int N>
Lines<N> lines_of(int32_t axis, const std::array<const rgm_view*, N>& views) {
  require(axis >= 0 && axis < views[0]->rank, "an axis outside of the view");
  Lines<N> lines{axes_of<N>(views, ~(1u << axis)), views[0]->shape[axis], {}, {}};
  for (int k = 0; k < N; ++k) {
    lines.step[k] = views[static_cast<size_t>(k)]->stride[axis];
    lines.views[k] = any(*views[static_cast<size_t>(k)]);
  }
  return lines;
}

__global__ void softmax_kernel(Lines<2> l) {
  int64_t at[2];
  l.others.at(blockIdx.x, at);
  float largest = -INFINITY, sum = 0;
  for (int64_t i = threadIdx.x; i < l.n; i += blockDim.x)
    largest = fmaxf(largest, l.views[0].number(at[0] + i * l.step[0]));
  largest = over_block(largest, Max{});
  for (int64_t i = threadIdx.x; i < l.n; i += blockDim.x)
    sum += expf(l.views[0].number(at[0] + i * l.step[0]) - largest);
  sum = over_block(sum, Sum{});
  for (int64_t i = threadIdx.x; i < l.n; i += blockDim.x)
    l.views[1].put(at[1] + i * l.step[1], expf(l.views[0].number(at[0] + i * l.step[0]) - largest) / sum);
}

// dx = y (dy - sum of y dy)
__global__ void softmax_grad_kernel(Lines<3> l) {
  int64_t at[3];
  l.others.at(blockIdx.x, at);
  float sum = 0;
  for (int64_t i = threadIdx.x; i < l.n; i += blockDim.x)
    sum += l.views[0].number(at[0] + i * l.step[0]) * l.views[1].number(at[1] + i * l.step[1]);
  sum = over_block(sum, Sum{});
  for (int64_t i = threadIdx.x; i < l.n; i += blockDim.x)
    l.views[2].put(at[2] + i * l.step[2],
                   l.views[0].number(at[0] + i * l.step[0]) * (l.views[1].number(at[1] + i * l.step[1]) - sum));
}

__global__ void cumsum_kernel(Lines<2> l) {
  using Scan = cub::BlockScan<float, threads_in_block>;
  __shared__ typename Scan::TempStorage storage;
  int64_t at[2];
  l.others.at(blockIdx.x, at);
  float before = 0;
  for (int64_t begin = 0; begin < l.n; begin += threads_in_block) {
    const int64_t i = begin + threadIdx.x;
    float value = i < l.n ? l.views[0].number(at[0] + i * l.step[0]) : 0, all = 0;
    Scan(storage).InclusiveSum(value, value, all);
    if (i < l.n) l.views[1].put(at[1] + i * l.step[1], before + value);
    before += all;
    __syncthreads();
  }
}

template <int N>
bool empty(const Lines<N>& l) {
  return l.others.count == 0 || l.n == 0;
}

}  // namespace

rgm_status softmax(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y) {
  return kernel(q, "softmax", [&] {
    const auto lines = lines_of<2>(axis, {x, y});
    if (!empty(lines))
      softmax_kernel<<<static_cast<unsigned>(lines.others.count), threads_in_block, 0, q->stream>>>(lines);
  });
}
rgm_status softmax_grad(rgm_queue* q, int32_t axis, const rgm_view* y, const rgm_view* dy, const rgm_view* dx) {
  return kernel(q, "softmax_grad", [&] {
    const auto lines = lines_of<3>(axis, {y, dy, dx});
    if (!empty(lines))
      softmax_grad_kernel<<<static_cast<unsigned>(lines.others.count), threads_in_block, 0, q->stream>>>(lines);
  });
}
rgm_status cumsum(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y) {
  return kernel(q, "cumsum", [&] {
    const auto lines = lines_of<2>(axis, {x, y});
    if (!empty(lines))
      cumsum_kernel<<<static_cast<unsigned>(lines.others.count), threads_in_block, 0, q->stream>>>(lines);
  });
}

}  // namespace regimen::cudnn
