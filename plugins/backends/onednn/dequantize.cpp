// dequantize.cpp - a matrix of four bits an element as float32 or bfloat16: a byte is two of them at once.
#include <array>

#include "kernels.hpp"
#include "types.hpp"

namespace regimen::onednn {
namespace {

constexpr int64_t kBlock = 64;  // elements that share a scale

struct Pair {
  float first, second;
};
constexpr std::array<Pair, 256> kPairs = [] {
  constexpr float levels[] = {RGM_NF4_LEVELS};
  std::array<Pair, 256> out{};
  for (size_t byte = 0; byte < 256; ++byte) out[byte] = {levels[byte >> 4], levels[byte & 15]};
  return out;
}();

template <class T>
void block(const uint8_t* codes, float scale, T* y) {
  for (int64_t i = 0; i < kBlock / 2; ++i) {
    const Pair pair = kPairs[codes[i]];
    y[2 * i] = convert_to<T>(pair.first * scale);
    y[2 * i + 1] = convert_to<T>(pair.second * scale);
  }
}

}  // namespace

rgm_status dequantize(rgm_queue* q, const rgm_dequantize* args) {
  return kernel(q, [&] {
    const rgm_view &codes = *args->codes, &scales = *args->scales, &y = *args->y;
    accept_features(args->features, 0, "dequantize");
    require(y.rank == 2 && codes.rank == 2 && scales.rank == 2 && y.shape[1] % kBlock == 0 &&
                codes.shape[0] == y.shape[0] && codes.shape[1] == y.shape[1] / 2 && scales.shape[0] == y.shape[0] &&
                scales.shape[1] == y.shape[1] / kBlock,
            "dequantize: codes are (out, in / 2) and scales (out, in / 64) for y (out, in)");
    require(codes.dtype == RGM_U8 && scales.dtype == RGM_F32, "dequantize: codes are U8 and scales F32");
    if (codes.stride[1] != 1 || y.stride[1] != 1) unsupported("onednn: dequantize of rows with gaps");
    const auto into = [&](auto type) {
      using T = decltype(type);
      const int64_t blocks = scales.shape[1];
      parallel(threads(q), y.shape[0] * blocks, kGrain / kBlock, [&](int64_t begin, int64_t end, int) {
        for (int64_t at = begin; at < end; ++at) {
          const int64_t i = at / blocks, j = at % blocks;
          block(data<const uint8_t>(codes) + i * codes.stride[0] + j * (kBlock / 2),
                data<const float>(scales)[i * scales.stride[0] + j * scales.stride[1]],
                data<T>(y) + i * y.stride[0] + j * kBlock);
        }
      });
    };
    if (y.dtype == RGM_F32) return into(float{});
    if (y.dtype == RGM_BF16) return into(BFloat16{});
    unsupported("onednn: dequantize into this element type");
  });
}

}  // namespace regimen::onednn
