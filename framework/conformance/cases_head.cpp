// cases_head.cpp - head_loss: targets left out, soft cap, scale, entropy, and gradients with or without a frozen head.
#include <fmt/format.h>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

void head_loss(Trial& t) {
  uint32_t features = t.features({RGM_HEAD_SOFTCAP, RGM_HEAD_ENTROPY, RGM_HEAD_GRAD});
  const bool many = t.index == 7;                     // logits that are made in more than one chunk
  const bool wide = t.index % 8 == 5 && t.index > 8;  // a row of them is more than some caches take
  const int64_t M = many   ? 2100
                    : wide ? 3
                           : t.size(),
                C = many || wide ? 2 : t.one_of({1, 8, 17, 64}),
                V = many   ? 8209
                    : wide ? 60013
                           : t.one_of({1, 2, 65, 257, 500});
  const double scale = t.one_of({1.0, 0.5, 2.0}), softcap = t.one_of({2.0, 30.0});
  const bool grad = features & RGM_HEAD_GRAD, halves = t.chance(0.25);
  t.say(fmt::format("scale {} softcap {}", scale, softcap));
  const rgm_dtype dtype = halves ? RGM_BF16 : RGM_F32;
  const Arg x = t.in({M, C}, t.normals(), t.beside(dtype));
  const Arg w = t.in(
      {V, C}, [&t] { return 0.3 * t.normal(); }, dtype);
  const Arg targets = t.in(
      {M}, [&t, V] { return t.chance(0.2) ? -1.0 : static_cast<double>(t.pick(0, V - 1)); }, RGM_I32);
  const Arg logprobs = t.out({M}), entropy = features & RGM_HEAD_ENTROPY ? t.out({M}) : no_arg;
  const Arg weights = grad ? t.in({M}, t.uniforms(-1, 1)) : no_arg;
  const Arg dx = grad && t.chance(0.8) ? t.out({M, C}) : no_arg;
  const Arg dw = grad && t.chance(0.8) ? t.inout({V, C}, t.normals()) : no_arg;
  t.must_refuse = t.index < 2;
  if (t.must_refuse) features = 1u << 31;
  t.run(&rgm_kernels::head_loss, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_head_loss args{sizeof(rgm_head_loss), features,   scale,      softcap, v(x), v(w), v(targets),
                             v(logprobs),           v(entropy), v(weights), v(dx),   v(dw)};
    return f(q, &args);
  });
}

}  // namespace

Kernels head_cases() { return {{"head_loss", false, 48, head_loss}}; }

}  // namespace rgm::conformance
