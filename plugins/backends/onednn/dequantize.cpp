// dequantize.cpp - a matrix of four bits an element as float32 or bfloat16: a byte is two of them at once. And its
// product with a few rows, which reads the codes themselves.
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

// of a matrix (out, in)
void require_codes(const rgm_view& codes, const rgm_view& scales, int64_t out, int64_t in, const std::string& kernel) {
  require(codes.rank == 2 && scales.rank == 2 && in % kBlock == 0 && codes.shape[0] == out &&
              codes.shape[1] == in / 2 && scales.shape[0] == out && scales.shape[1] == in / kBlock,
          kernel + ": codes are (out, in / 2) and scales (out, in / 64) for a matrix (out, in)");
  require(codes.dtype == RGM_U8 && scales.dtype == RGM_F32, kernel + ": codes are U8 and scales F32");
  if (codes.stride[1] != 1) unsupported("onednn: " + kernel + " of codes with gaps");
}

}  // namespace

rgm_status dequantize(rgm_queue* q, const rgm_dequantize* args) {
  return kernel(q, [&] {
    const rgm_view &codes = *args->codes, &scales = *args->scales, &y = *args->y;
    accept_features(args->features, 0, "dequantize");
    require(y.rank == 2, "dequantize: y is a matrix (out, in)");
    require_codes(codes, scales, y.shape[0], y.shape[1], "dequantize");
    if (y.stride[1] != 1) unsupported("onednn: dequantize of rows with gaps");
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

void require_few_quantized(rgm_queue* q, const rgm_view& x, const rgm_view& codes, const rgm_view& scales,
                           const Matrix& y) {
  // Beyond these, making values for a product of the library is as fast: without AVX2, which looks up many at once,
  // soon.
  const int64_t most = vector(q).four_bits > 32 ? 64 : 16;
  require(x.shape[0] == y.rows, "linear: x and y have different rows");
  require_codes(codes, scales, y.columns, x.shape[1], "linear");
  if (x.shape[0] > most || x.shape[1] == 0) unsupported("onednn: a quantized weight is read for few rows");
  if (scales.stride[1] != 1 && scales.shape[1] > 1) unsupported("onednn: linear of scales with gaps");
}

void multiply_quantized(rgm_queue* q, const rgm_view& x, const rgm_view& codes, const rgm_view& scales, float* y,
                        int64_t y_row) {
  const int64_t M = x.shape[0], K = x.shape[1], out = codes.shape[0], each = vector(q).four_bits,
                row = (K + each - 1) / each * each;
  rgm_view dense = x;
  if (x.stride[1] != 1) {
    dense.stride[0] = K, dense.stride[1] = 1;
    dense.data = q->scratch.floats(Scratch::kCopyA, M * K);
    convert(q, x, dense);
  }
  float* const ordered = q->scratch.floats(Scratch::kSingle, M * row);
  parallel(threads(q), M, std::max<int64_t>(1, kGrain / row), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i)
      vector(q).four_bit_order(data<const float>(dense) + i * dense.stride[0], K, ordered + i * row);
  });
  constexpr int64_t kAtOnce = 4;  // columns
  parallel(threads(q), (out + kAtOnce - 1) / kAtOnce, std::max<int64_t>(1, kGrain / (kAtOnce * K)),
           [&](int64_t begin, int64_t end, int) {
             const int64_t first = begin * kAtOnce, columns = std::min(end * kAtOnce, out) - first;
             vector(q).four_bit_product(
                 {columns, K, data<const uint8_t>(codes) + first * codes.stride[0], codes.stride[0],
                  data<const float>(scales) + first * scales.stride[0], scales.stride[0]},
                 M, ordered, row, y + first, y_row);
           });
}

}  // namespace regimen::onednn
