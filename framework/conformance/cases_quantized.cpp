// cases_quantized.cpp - matrices of four bits an element.
#include "cases.hpp"

namespace rgm::conformance {
namespace {

void dequantize(Trial& t) {
  const bool large = t.index % 8 >= 6;
  const int64_t out = large ? t.pick(100, 300) : t.size(), blocks = large ? t.pick(4, 12) : t.pick(1, 3);
  const rgm_dtype dtype = t.index / 2 % 2 ? RGM_BF16 : RGM_F32;
  if (dtype == RGM_BF16) t.dtypes |= 1u << RGM_BF16;
  const uint32_t features = t.features({});
  const Arg codes = t.in({out, blocks * 32}, t.integers(0, 255), RGM_U8),
            scales = t.in({out, blocks}, t.uniforms(0, 2)), y = t.out({out, blocks * 64}, dtype);
  t.exact = true;
  t.run(&rgm_kernels::dequantize, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_dequantize args{sizeof(rgm_dequantize), features, v(codes), v(scales), v(y)};
    return f(q, &args);
  });
}

// A product that reads the codes, as in decoding: of one row, of few, and of so many that it may be refused.
void linear(Trial& t) {
  const uint32_t features =
      t.features({RGM_LINEAR_BIAS, RGM_LINEAR_RESIDUAL, RGM_LINEAR_ACTIVATION, RGM_LINEAR_AUX, RGM_LINEAR_ADD});
  const int64_t M = t.one_of({1, 1, 2, 3, 5, 8, 15, 16, 31, 64, 130}), blocks = t.one_of({1, 2, 3, 14, 37}),
                out = t.one_of({1, 3, 8, 31, 150});
  const rgm_dtype dtype = t.index % 4 == 3 ? RGM_BF16 : RGM_F32;
  const int32_t activation = t.one_of({RGM_GELU_TANH, RGM_SILU, RGM_RELU});
  const auto optional = [&](uint32_t bit, const Shape& shape) {
    return features & bit ? t.in(shape, t.normals()) : no_arg;
  };
  const Arg x = t.in({M, blocks * 64}, t.normals(), dtype),
            codes = t.in({out, blocks * 32}, t.integers(0, 255), RGM_U8),
            scales = t.in({out, blocks}, t.uniforms(0, 2));
  const Arg bias = optional(RGM_LINEAR_BIAS, {out}), residual = optional(RGM_LINEAR_RESIDUAL, {M, out});
  const Arg aux = features & RGM_LINEAR_AUX ? t.out({M, out}) : no_arg;
  const Arg y = features & RGM_LINEAR_ADD ? t.inout({M, out}, t.normals()) : t.out({M, out});
  t.run(&rgm_kernels::linear, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_linear args{sizeof(rgm_linear),
                          features | RGM_LINEAR_QUANTIZED,
                          activation,
                          0,
                          v(x),
                          nullptr,
                          nullptr,
                          v(bias),
                          v(residual),
                          v(aux),
                          v(y),
                          v(codes),
                          v(scales)};
    return f(q, &args);
  });
}

}  // namespace

Kernels quantized_cases() { return {{"dequantize", false, 16, dequantize}, {"linear_quantized", false, 64, linear}}; }

}  // namespace rgm::conformance
