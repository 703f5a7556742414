// dequantize.cu - a matrix of four bits an element as float32 or bfloat16: a thread reads four bytes of codes.
#include "kernels.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

constexpr int kInBlock = 64, kOfThread = 8;  // elements: that share a scale, of one thread

template <class T>
struct Dequantize {
  const uint8_t* codes;
  const float* scales;
  T* y;
  int64_t rows, pieces, codes_row, scales_row, scales_step, y_row;  // pieces: of a row, a thread each
  float levels[16] = {RGM_NF4_LEVELS};
};

// Aligned: four bytes of codes, and eight elements of y, lie where they can be read and written at once. The levels are
// looked up in shared memory, where the threads of a warp may ask for different ones at once.
template <class T, bool aligned>
__global__ void dequantize_kernel(Dequantize<T> d) {
  __shared__ float levels[16];
  if (threadIdx.x < 16) levels[threadIdx.x] = d.levels[threadIdx.x];
  __syncthreads();
  const int64_t count = d.rows * d.pieces;
  for (int64_t at = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; at < count; at += int64_t{gridDim.x} * blockDim.x) {
    const int64_t i = at / d.pieces, piece = at - i * d.pieces, j = piece * kOfThread;
    const uint8_t* const codes = d.codes + i * d.codes_row + j / 2;
    const float scale = d.scales[i * d.scales_row + j / kInBlock * d.scales_step];
    uint32_t bytes;
    if constexpr (aligned) {
      bytes = *reinterpret_cast<const uint32_t*>(codes);
    } else {
      bytes = codes[0] | uint32_t{codes[1]} << 8 | uint32_t{codes[2]} << 16 | uint32_t{codes[3]} << 24;
    }
    Eight<T> out;
#pragma unroll
    for (int e = 0; e < kOfThread; ++e) {
      const uint32_t byte = bytes >> (e / 2 * 8) & 255;
      out.at[e] = from_float<T>(levels[e % 2 ? byte & 15 : byte >> 4] * scale);
    }
    T* const y = d.y + i * d.y_row + j;
    if constexpr (aligned) {
      *reinterpret_cast<Eight<T>*>(y) = out;
    } else {
#pragma unroll
      for (int e = 0; e < kOfThread; ++e) y[e] = out.at[e];
    }
  }
}

}  // namespace

rgm_status dequantize(rgm_queue* q, const rgm_dequantize* args) {
  return kernel(q, "dequantize", [&] {
    const rgm_view &codes = *args->codes, &scales = *args->scales, &y = *args->y;
    accept_features(args->features, 0, "dequantize");
    require(y.rank == 2 && codes.rank == 2 && scales.rank == 2 && y.shape[1] % kInBlock == 0 &&
                codes.shape[0] == y.shape[0] && codes.shape[1] == y.shape[1] / 2 && scales.shape[0] == y.shape[0] &&
                scales.shape[1] == y.shape[1] / kInBlock,
            "dequantize: codes are (out, in / 2) and scales (out, in / 64) for y (out, in)");
    require(codes.dtype == RGM_U8 && scales.dtype == RGM_F32, "dequantize: codes are U8 and scales F32");
    if (codes.stride[1] != 1 || y.stride[1] != 1) unsupported("dequantize: rows with gaps");
    if (count(y) == 0) return;
    with_float(y.dtype, "dequantize", [&](auto t) {
      using T = decltype(t);
      const Dequantize<T> d{data<const uint8_t>(codes),
                            data<const float>(scales),
                            data<T>(y),
                            y.shape[0],
                            y.shape[1] / kOfThread,
                            codes.stride[0],
                            scales.stride[0],
                            scales.stride[1],
                            y.stride[0]};
      const auto lies = [](const void* p, int64_t row_bytes, size_t at) {
        return reinterpret_cast<uintptr_t>(p) % at == 0 && row_bytes % static_cast<int64_t>(at) == 0;
      };
      const bool aligned =
          lies(d.codes, d.codes_row, 4) && lies(d.y, d.y_row * static_cast<int64_t>(sizeof(T)), alignof(Eight<T>));
      const unsigned blocks = blocks_for(d.rows * d.pieces);
      if (aligned)
        dequantize_kernel<T, true><<<blocks, threads_in_block, 0, q->stream>>>(d);
      else
        dequantize_kernel<T, false><<<blocks, threads_in_block, 0, q->stream>>>(d);
    });
  });
}

}  // namespace regimen::cudnn
