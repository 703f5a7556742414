// cases_attention.cpp - attention and attention_grad: every feature alone, all at once, and random mixtures; and NaN,
// which no softmax may lose.
#include <fmt/format.h>

#include <cmath>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

struct AttentionArgs {
  uint32_t features = 0;
  double scale = 1, softcap = 0, dropout = 0;
  int64_t window = 0, prefix = 0;
  Arg q = no_arg, k = no_arg, v = no_arg, y = no_arg, lse = no_arg;
  Arg q_segments = no_arg, k_segments = no_arg, k_lengths = no_arg, key = no_arg;
  Arg dy = no_arg, dq = no_arg, dk = no_arg, dv = no_arg;

  rgm_attention of(const Views& in) const {
    return {sizeof(rgm_attention),
            features,
            scale,
            softcap,
            dropout,
            window,
            prefix,
            in(q),
            in(k),
            in(v),
            in(y),
            in(lse),
            in(q_segments),
            in(k_segments),
            in(k_lengths),
            in(key),
            in(dy),
            in(dq),
            in(dk),
            in(dv)};
  }
};

// Segments as packing makes them: 1 1 1 2 2 3 .., then padding. The keys of the prefix are in no query's segment.
struct Packed {
  Trial& t;
  int64_t T, prefix;
  int64_t at = 0, segment = 1;
  double operator()() {
    if (at++ % T == 0) segment = 1;
    const int64_t here = (at - 1) % T;
    if (here < prefix) return 0;
    if (here + 2 >= T && T - prefix > 3) return 0;
    if (here > prefix && t.chance(0.2)) ++segment;
    return static_cast<double>(segment);
  }
};

struct Sizes {
  int64_t B, Tq, Tk, H, Hkv, D;
};

Sizes sizes(Trial& t, uint32_t features) {
  Sizes s{};
  s.B = t.pick(1, 3);
  s.Hkv = t.pick(1, 2);
  s.H = s.Hkv * t.pick(1, 3);
  s.D = t.one_of({1, 4, 8, 16, 17, 32, 64});
  s.Tk = t.one_of({1, 2, 5, 8, 16, 17, 33, 40, 65, 130});  // the last two are more than a tile
  // Fewer queries than keys: decoding, or a prefix in front. With segments both are one row, but for the prefix.
  s.Tq = features & (RGM_ATTENTION_PREFIX | RGM_ATTENTION_LENGTHS) || t.chance(0.3) ? t.pick(1, s.Tk) : s.Tk;
  return s;
}

// Behind the mixed cases: what training in bfloat16 asks for, dense, of whole 16 bytes, and of these features alone, as
// only such a form reaches the fastest kernels of some backends; and decoding, one query beside many keys, which a
// backend may split among teams. At last NaN, mixed and decoding in turns.
enum class Form { mixed, training, decoding };
constexpr int mixed_cases = 80, training_cases = 32, decoding_cases = 16, nan_cases = 24;
bool has_nan(const Trial& t) {
  constexpr int first = mixed_cases + training_cases + decoding_cases;
  return t.index >= first && t.index < first + nan_cases;
}
Form form_of(const Trial& t) {
  if (has_nan(t)) return t.index % 4 < 2 ? Form::mixed : Form::decoding;
  if (t.index < mixed_cases || t.index >= mixed_cases + training_cases + decoding_cases) return Form::mixed;
  return t.index < mixed_cases + training_cases ? Form::training : Form::decoding;
}

// Scores near -100: whatever takes the exponential of what lies behind the last key comes to infinity. A backend may
// have tiles of 64 and of 128 keys, and hide what lies behind in one way with a causal mask and in another without.
bool far_below(const Trial& t, Form form) { return form == Form::training && t.index % 4 == 3; }
uint32_t features_far_below(const Trial& t) {
  constexpr uint32_t each[] = {0, RGM_ATTENTION_CAUSAL, RGM_ATTENTION_CAUSAL | RGM_ATTENTION_SEGMENTS,
                               RGM_ATTENTION_WINDOW};
  return each[t.index / 4 % 4];
}

Sizes sizes(Trial& t, Form form) {
  Sizes s = sizes(t, t.index % 3 == 0 ? RGM_ATTENTION_LENGTHS : 0);
  t.all_dense = form != Form::mixed;
  if (form == Form::training) s.D = t.one_of({8, 16, 64, 128});
  if (far_below(t, form)) s.Tq = s.Tk = t.index / 16 % 2 ? 64 : 192;
  if (form != Form::decoding) return s;
  s.Tq = 1;
  s.Tk = t.one_of({100, 256, 300, 700});
  s.D = t.one_of({32, 64, 128, 256});
  return s;
}

uint32_t features(Trial& t, Form form) {
  switch (form) {
    case Form::training:
      return t.features({RGM_ATTENTION_CAUSAL, RGM_ATTENTION_WINDOW, RGM_ATTENTION_PREFIX, RGM_ATTENTION_SEGMENTS});
    case Form::decoding:
      return t.features({RGM_ATTENTION_SOFTCAP, RGM_ATTENTION_WINDOW, RGM_ATTENTION_PREFIX, RGM_ATTENTION_LENGTHS});
    default:
      return t.features({RGM_ATTENTION_CAUSAL, RGM_ATTENTION_SOFTCAP, RGM_ATTENTION_DROPOUT, RGM_ATTENTION_WINDOW,
                         RGM_ATTENTION_PREFIX, RGM_ATTENTION_SEGMENTS, RGM_ATTENTION_LENGTHS});
  }
}

AttentionArgs inputs(Trial& t, const Sizes& s, Form form, rgm_dtype dtype) {
  AttentionArgs a;
  a.features = far_below(t, form) ? features_far_below(t) : features(t, form);
  a.scale = t.one_of({0.5, 1.0, 2.0}) / std::sqrt(static_cast<double>(s.D));
  a.softcap = t.one_of({1.5, 5.0});
  a.dropout = t.one_of({0.1, 0.5});
  a.window = t.pick(1, s.Tk);
  a.prefix = t.pick(0, s.Tk / 2);
  const double low = far_below(t, form) ? std::sqrt(100 / (a.scale * static_cast<double>(s.D))) : 0;
  a.q = t.in(
      {s.B, s.Tq, s.H, s.D}, [&t, low] { return low + t.normal(); }, dtype);
  a.k = t.in(
      {s.B, s.Tk, s.Hkv, s.D}, [&t, low] { return -low + t.normal(); }, dtype);
  a.v = t.in({s.B, s.Tk, s.Hkv, s.D}, t.normals(), dtype);
  if (a.features & RGM_ATTENTION_SEGMENTS) {
    const int64_t prefix = a.features & RGM_ATTENTION_PREFIX ? a.prefix : 0;
    a.q_segments = t.dense({s.B, s.Tq}, Packed{t, s.Tq, 0}, RGM_I32);
    a.k_segments = t.dense({s.B, s.Tk}, Packed{t, s.Tk, prefix}, RGM_I32);
  }
  if (a.features & RGM_ATTENTION_LENGTHS) a.k_lengths = t.in({s.B}, t.integers(0, s.Tk), RGM_I32);
  if (a.features & RGM_ATTENTION_DROPOUT) a.key = t.dense({6}, t.integers(-1000, 1000), RGM_I32);
  t.say(fmt::format("scale {} softcap {} dropout {} window {} prefix {}", a.scale, a.softcap, a.dropout, a.window,
                    a.prefix));
  return a;
}

// In one row and head: a query, one key, or the first half of the keys.
void put_nan(Trial& t, const AttentionArgs& a) {
  const int which = t.index / 4 % 3;
  Array& array = t.arrays[static_cast<size_t>(which == 0 ? a.q : a.k)];
  const rgm_view& v = array.view;
  const int64_t T = v.shape[1], first = which == 2 ? 0 : t.pick(0, T - 1), end = which == 2 ? (T + 1) / 2 : first + 1;
  int64_t at = first * v.stride[1];
  for (const int axis : {0, 2, 3}) at += t.pick(0, v.shape[axis] - 1) * v.stride[axis];
  for (int64_t i = first; i < end; ++i, at += v.stride[1]) array.set(at, NAN);
  t.say(which == 0 ? "NaN in a query" : which == 1 ? "NaN in a key" : "NaN in half of the keys");
}

void attention(Trial& t) {
  const Form form = form_of(t);
  const Sizes s = sizes(t, form);
  const rgm_dtype dtype = form == Form::training   ? RGM_BF16
                          : form == Form::decoding ? t.one_of({RGM_F32, RGM_BF16})
                          : has_nan(t)             ? RGM_F32
                                                   : t.one_of({RGM_F32, RGM_F32, RGM_F32, RGM_BF16});
  AttentionArgs a = inputs(t, s, form, dtype);
  if (has_nan(t)) put_nan(t, a);
  a.y = t.out({s.B, s.Tq, s.H, s.D}, dtype);
  a.lse = t.out({s.B, s.H, s.Tq});
  t.must_refuse = t.index < 2;
  if (t.must_refuse) a.features = 1u << 31;
  t.run(&rgm_kernels::attention, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_attention args = a.of(v);
    return f(q, &args);
  });
}

void attention_grad(Trial& t) {
  const Form form = form_of(t) == Form::training ? Form::training : Form::mixed;
  const Sizes s = sizes(t, form);
  const rgm_dtype dtype = form == Form::training ? RGM_BF16 : RGM_F32;
  AttentionArgs a = inputs(t, s, form, dtype);
  a.y = t.prepared({s.B, s.Tq, s.H, s.D}, dtype);
  a.lse = t.prepared({s.B, s.H, s.Tq});
  a.dy = t.in({s.B, s.Tq, s.H, s.D}, t.normals(), dtype);
  a.dq = t.out({s.B, s.Tq, s.H, s.D}, dtype);
  a.dk = t.out({s.B, s.Tk, s.Hkv, s.D}, dtype);
  a.dv = t.out({s.B, s.Tk, s.Hkv, s.D}, dtype);
  t.least = 1;  // a query that sees one key has no gradient but what rounding left of terms of size 1
  t.must_refuse = t.index < 2;
  t.prepare([=](const rgm_kernels& k, rgm_queue* q, const Views& v) {
    const rgm_attention args = a.of(v);
    return k.attention(q, &args);
  });
  if (t.must_refuse) a.features = 1u << 31;
  t.run(&rgm_kernels::attention_grad, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_attention args = a.of(v);
    return f(q, &args);
  });
}

}  // namespace

Kernels attention_cases() {
  return {{"attention", false, mixed_cases + training_cases + decoding_cases + nan_cases, attention},
          {"attention_grad", false, mixed_cases + training_cases, attention_grad}};
}

}  // namespace rgm::conformance
