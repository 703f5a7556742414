// random.cu - draws from Philox: uniform, normal (Box and Muller 1958), raw words; a thread for a block of four.
#include "kernels.hpp"
#include "philox.cuh"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

__global__ void random_kernel(const int32_t* key, int64_t stride, int distribution, Axes<1> axes, Any y) {
  const int64_t block = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (block * 4 >= axes.count) return;
  const PhiloxBlock words = Philox(key, stride).block(static_cast<uint64_t>(block));
  float values[4];
  for (int i = 0; i < 4; ++i) values[i] = static_cast<float>(words.word[i] >> 8) * 0x1p-24f;
  if (distribution == RGM_NORMAL)
    for (int i = 0; i < 4; i += 2) {
      const float radius = sqrtf(-2 * logf(static_cast<float>((words.word[i] >> 8) + 1) * 0x1p-24f));
      float sine, cosine;
      sincospif(2 * values[i + 1], &sine, &cosine);
      values[i] = radius * cosine;
      values[i + 1] = radius * sine;
    }
  for (int i = 0; i < 4 && block * 4 + i < axes.count; ++i) {
    int64_t at[1];
    axes.at(block * 4 + i, at);
    if (distribution == RGM_BITS)
      y.put(at[0], static_cast<int64_t>(static_cast<int32_t>(words.word[i])));
    else
      y.put(at[0], values[i]);
  }
}

}  // namespace

rgm_status random(rgm_queue* q, const rgm_view* key, int32_t distribution, const rgm_view* y) {
  return kernel(q, "random", [&] {
    if (distribution < RGM_UNIFORM || distribution > RGM_BITS)
      unsupported("random: distribution " + std::to_string(distribution));
    require(key->rank == 1 && key->shape[0] == 6 && key->dtype == RGM_I32, "a random key is six I32");
    require(distribution != RGM_BITS || y->dtype == RGM_I32, "random: raw words are I32");
    const Axes<1> axes = axes_of<1>({y});
    if (axes.count == 0) return;
    random_kernel<<<static_cast<unsigned>((axes.count + 4 * threads_in_block - 1) / (4 * threads_in_block)),
                    threads_in_block, 0, q->stream>>>(data<const int32_t>(*key), key->stride[0], distribution, axes,
                                                      any(*y));
  });
}

}  // namespace regimen::cudnn
