// dequantize.cpp - a matrix of four bits an element as float32 or bfloat16.
#include "kernels.hpp"
#include "numbers.hpp"

namespace regimen::reference {

void make_values(const rgm_dequantize& args) {
  const rgm_view &codes = *args.codes, &scales = *args.scales, &y = *args.y;
  accept_features(args.features, 0, "dequantize");
  require(y.rank == 2 && y.shape[1] % 64 == 0 && (y.dtype == RGM_F32 || y.dtype == RGM_BF16),
          "dequantize: y is (out, in) F32 or BF16, in a multiple of 64");
  require(codes.dtype == RGM_U8 && scales.dtype == RGM_F32, "dequantize: codes are U8 and scales F32");
  require_shape(codes, {y.shape[0], y.shape[1] / 2}, "dequantize: codes are (out, in / 2)");
  require_shape(scales, {y.shape[0], y.shape[1] / 64}, "dequantize: scales are (out, in / 64)");
  constexpr float levels[] = {RGM_NF4_LEVELS};
  for (int64_t i = 0; i < y.shape[0]; ++i)
    for (int64_t j = 0; j < y.shape[1]; ++j) {
      const uint8_t byte = data<const uint8_t>(codes)[i * codes.stride[0] + j / 2 * codes.stride[1]];
      const float scale = data<const float>(scales)[i * scales.stride[0] + j / 64 * scales.stride[1]];
      put(y, i * y.stride[0] + j * y.stride[1], levels[j % 2 ? byte & 15 : byte >> 4] * scale);
    }
}

rgm_status dequantize(rgm_queue*, const rgm_dequantize* args) {
  return guard([&] { make_values(*args); });
}

}  // namespace regimen::reference
