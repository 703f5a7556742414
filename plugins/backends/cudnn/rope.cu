// rope.cu - rotary positions (Su et al. 2021): the pairs (i, i + R/2) are turned, the rest is copied.
#include "kernels.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

template <class T>
struct Rope {
  const T* x;
  T* y;
  const int32_t* positions;
  const float *cos, *sin;
  int64_t B, T_, H, D, half, context;
  int64_t sx[4], sy[4], sp[2], sc[2], ss[2];
  int* fault;
};
// A thread for a pair, or for an element behind the pairs. They are counted in I: divisions of 64 bits take long.
template <class T, class I>
__global__ void rope_kernel(Rope<T> r) {
  const auto width = static_cast<I>(r.D - r.half), heads = static_cast<I>(r.H), tokens = static_cast<I>(r.T_);
  const int64_t count = r.B * r.T_ * r.H * (r.D - r.half);
  for (int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; at < count; at += int64_t{gridDim.x} * blockDim.x) {
    const auto e = static_cast<I>(at), line = e / width, row = line / heads;
    const int64_t i = e - line * width, h = line - row * heads, t = row % tokens, b = row / tokens;
    const T* x = r.x + b * r.sx[0] + t * r.sx[1] + h * r.sx[2];
    T* y = r.y + b * r.sy[0] + t * r.sy[1] + h * r.sy[2];
    if (i >= r.half) {
      y[(i + r.half) * r.sy[3]] = x[(i + r.half) * r.sx[3]];
      continue;
    }
    const int64_t position = r.positions[b * r.sp[0] + t * r.sp[1]];
    if (position < 0 || position >= r.context) {
      *r.fault = kPositionOutside;
      continue;
    }
    const float c = r.cos[position * r.sc[0] + i * r.sc[1]], s = r.sin[position * r.ss[0] + i * r.ss[1]];
    const float first = to_float(x[i * r.sx[3]]), second = to_float(x[(i + r.half) * r.sx[3]]);
    y[i * r.sy[3]] = from_float<T>(first * c - second * s);
    y[(i + r.half) * r.sy[3]] = from_float<T>(second * c + first * s);
  }
}

}  // namespace

rgm_status rope(rgm_queue* q, const rgm_rope* args) {
  return kernel(q, "rope", [&] {
    const rgm_view &x = *args->x, &y = *args->y, &positions = *args->positions, &cos = *args->cos, &sin = *args->sin;
    accept_features(args->features, 0, "rope");
    require(x.rank == 4 && same_shape(x, y) && x.dtype == y.dtype, "rope: x and y are (B, T, H, D)");
    require(cos.rank == 2 && same_shape(cos, sin) && cos.shape[1] * 2 <= x.shape[3],
            "rope: cos and sin are (context, R/2)");
    require(positions.rank == 2 && positions.dtype == RGM_I32, "rope: positions are (B, T) I32");
    if (count(x) == 0) return;
    with_float(x.dtype, "rope", [&](auto t) {
      using T = decltype(t);
      Rope<T> r{data<const T>(x),
                data<T>(y),
                data<const int32_t>(positions),
                data<const float>(cos),
                data<const float>(sin),
                x.shape[0],
                x.shape[1],
                x.shape[2],
                x.shape[3],
                cos.shape[1],
                cos.shape[0],
                {},
                {},
                {positions.stride[0], positions.stride[1]},
                {cos.stride[0], cos.stride[1]},
                {sin.stride[0], sin.stride[1]},
                q->fault_on_device};
      for (int i = 0; i < 4; ++i) r.sx[i] = x.stride[i], r.sy[i] = y.stride[i];
      const auto run = count(x) <= INT32_MAX ? rope_kernel<T, uint32_t> : rope_kernel<T, int64_t>;
      run<<<blocks_for(count(x)), threads_in_block, 0, q->stream>>>(r);
    });
  });
}

}  // namespace regimen::cudnn
