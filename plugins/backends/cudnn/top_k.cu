// top_k.cu - the k largest of the last axis, falling; equal ones by index, NaN behind all others. Every round takes
// the best that comes behind the one taken before, so nothing has to be marked or sorted.
#include "kernels.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

struct TopK {
  Axes<3> others;  // of x, y and index
  Any x, y, index;
  int64_t n, k, x_step, y_step, index_step;
};
// Orders by falling value, NaN last, then by index: a larger word comes first.
__device__ uint64_t word_of(float value, int64_t i) {
  const uint32_t bits = __float_as_uint(value == 0 ? 0.0f : value);
  const uint32_t order = value != value ? 0 : bits >> 31 ? ~bits : bits | 0x80000000u;
  return uint64_t{order} << 32 | (0xFFFFFFFFu - static_cast<uint32_t>(i));
}
__global__ void top_k_kernel(TopK t) {
  __shared__ uint64_t best[32];
  int64_t at[3];
  t.others.at(blockIdx.x, at);
  uint64_t before = ~uint64_t{0};
  for (int64_t k = 0; k < t.k; ++k) {
    uint64_t mine = 0;
    for (int64_t i = threadIdx.x; i < t.n; i += blockDim.x) {
      const uint64_t word = word_of(t.x.number(at[0] + i * t.x_step), i);
      if (word < before && word > mine) mine = word;
    }
#pragma unroll
    for (int i = 16; i > 0; i /= 2) mine = max(mine, __shfl_xor_sync(0xFFFFFFFF, mine, i));
    __syncthreads();
    if (threadIdx.x % 32 == 0) best[threadIdx.x / 32] = mine;
    __syncthreads();
    for (unsigned i = 0; i < blockDim.x / 32; ++i) mine = max(mine, best[i]);
    before = mine;
    if (threadIdx.x != 0) continue;
    const int64_t i = 0xFFFFFFFFu - static_cast<uint32_t>(mine);
    t.y.put(at[1] + k * t.y_step, t.x.number(at[0] + i * t.x_step));
    t.index.put(at[2] + k * t.index_step, i);
  }
}

}  // namespace

rgm_status top_k(rgm_queue* q, const rgm_view* x, const rgm_view* y, const rgm_view* index) {
  return kernel(q, "top_k", [&] {
    require(x->rank > 0 && same_shape(*y, *index) && y->rank == x->rank, "top_k: x, y and index have one rank");
    const int32_t last = x->rank - 1;
    const int64_t n = x->shape[last], k = y->shape[last];
    require(k <= n && n < INT32_MAX, "top_k: " + std::to_string(k) + " of " + std::to_string(n) + " elements");
    rgm_view whole = *x;
    whole.shape[last] = k;
    const Axes<3> others = axes_of<3>({&whole, y, index}, ~(1u << last));
    if (others.count == 0 || k == 0) return;
    const int threads = n > 4096 ? 1024 : 256;
    top_k_kernel<<<static_cast<unsigned>(others.count), threads, 0, q->stream>>>(
        TopK{others, any(*x), any(*y), any(*index), n, k, x->stride[last], y->stride[last], index->stride[last]});
  });
}

}  // namespace regimen::cudnn
