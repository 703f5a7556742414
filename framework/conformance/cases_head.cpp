// cases_head.cpp - head_loss: targets left out, soft cap, scale, entropy, and gradients with or without a frozen head;
// logits that are NaN, and targets that are outside of the vocabulary.
#include <fmt/format.h>

#include <cmath>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

// Behind the others: logits that are NaN, of eight words or of the first row, and a first target that is no word.
constexpr int cases = 48;
enum Rim { kNone, kWordsAreNaN, kRowIsNaN, kTargetOutside, kRims };
Rim rim_of(const Trial& t) {
  const int n = t.index - cases + 1;
  return n > 0 && n < kRims ? static_cast<Rim>(n) : kNone;
}

void head_loss(Trial& t) {
  const Rim rim = rim_of(t);
  uint32_t features = t.features({RGM_HEAD_SOFTCAP, RGM_HEAD_ENTROPY, RGM_HEAD_GRAD});
  if (rim == kWordsAreNaN || rim == kRowIsNaN) features &= ~uint32_t{RGM_HEAD_GRAD};
  t.all_dense = rim;
  const bool many = t.index == 7;                     // logits that are made in more than one chunk
  const bool wide = t.index % 8 == 5 && t.index > 8;  // a row of them is more than some caches take
  const int64_t M = many   ? 2100
                    : wide ? 3
                           : t.size(),
                C = many || wide ? 2 : t.one_of({1, 8, 17, 64}),
                V = many   ? 8209
                    : wide ? 60013
                    : rim  ? 500
                           : t.one_of({1, 2, 65, 257, 500});
  const double scale = t.one_of({1.0, 0.5, 2.0}), softcap = t.one_of({2.0, 30.0});
  const bool grad = features & RGM_HEAD_GRAD, halves = !rim && t.chance(0.25);
  t.say(fmt::format("scale {} softcap {}", scale, softcap));
  const rgm_dtype dtype = halves ? RGM_BF16 : RGM_F32;
  // n times `first`, and then the rest
  const auto begins = [](int64_t n, double first, const Trial::Fill& rest) -> Trial::Fill {
    return [n, first, rest, at = int64_t{0}]() mutable { return at++ < n ? first : rest(); };
  };
  const Arg x = t.in({M, C}, begins(rim == kRowIsNaN ? C : 0, NAN, t.normals()), t.beside(dtype));
  const Trial::Fill weights_of_words = [&t] { return 0.3 * t.normal(); };
  const Arg w = t.in({V, C}, begins(rim == kWordsAreNaN ? 8 * C : 0, NAN, weights_of_words), dtype);
  const Trial::Fill words = [&t, V] { return t.chance(0.2) ? -1.0 : static_cast<double>(t.pick(0, V - 1)); };
  const auto first_target = static_cast<double>(rim == kTargetOutside ? V : V - 1);
  const Arg targets = t.in({M}, begins(rim ? 1 : 0, first_target, words), RGM_I32);
  const Arg logprobs = t.out({M}), entropy = features & RGM_HEAD_ENTROPY ? t.out({M}) : no_arg;
  const Arg weights = grad ? t.in({M}, t.uniforms(-1, 1)) : no_arg;
  const Arg dx = grad && t.chance(0.8) ? t.out({M, C}) : no_arg;
  const Arg dw = grad && t.chance(0.8) ? t.inout({V, C}, t.normals()) : no_arg;
  t.is_outside = rim == kTargetOutside;
  t.must_refuse = t.index < 2;
  if (t.must_refuse) features = 1u << 31;
  t.run(&rgm_kernels::head_loss, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_head_loss args{sizeof(rgm_head_loss), features,   scale,      softcap, v(x), v(w), v(targets),
                             v(logprobs),           v(entropy), v(weights), v(dx),   v(dw)};
    return f(q, &args);
  });
}

}  // namespace

Kernels head_cases() { return {{"head_loss", false, cases + kRims - 1, head_loss}}; }

}  // namespace rgm::conformance
