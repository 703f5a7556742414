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

}  // namespace

Kernels quantized_cases() { return {{"dequantize", false, 16, dequantize}}; }

}  // namespace rgm::conformance
