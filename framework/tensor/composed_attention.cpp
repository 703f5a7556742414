// composed_attention.cpp - attention with whole score matrices: correct for every mask, and only for backends that have
// no kernel. Masks are made on the device from positions, lengths and segments.
#include <cmath>

#include "tensor/composed.hpp"
#include "tensor/support.hpp"

namespace rgm::composed {
namespace {

using namespace ops;

Tensor whole(int64_t n) { return full({}, static_cast<double>(n), RGM_I32); }
// Conditions as 0 and 1: both hold, one of them holds.
Tensor both(const Tensor& a, const Tensor& b) { return a ? binary(RGM_MIN, a, b) : b; }
Tensor either(const Tensor& a, const Tensor& b) { return binary(RGM_MAX, a, b); }
Tensor less(const Tensor& a, const Tensor& b) { return binary(RGM_LESS, a, b); }

// Which query sees which key, to broadcast to (B, Hkv, H / Hkv, Tq, Tk); empty: every query all keys.
Tensor visible(int64_t B, int64_t Tq, int64_t Tk, const AttentionOptions& o) {
  const Tensor j = reshape(iota(Tk), {1, 1, 1, 1, Tk});
  const Tensor used = o.k_lengths ? reshape(o.k_lengths, {B, 1, 1, 1, 1}) : whole(Tk);
  const Tensor here = reshape(iota(Tq), {1, 1, 1, Tq, 1}) + used - whole(Tq);
  const Tensor in_prefix = less(j, whole(o.prefix));
  Tensor sees;
  if (o.k_lengths) sees = less(j, used);
  if (o.causal) sees = both(sees, binary(RGM_LESS_EQUAL, j, here));
  if (o.window > 0) sees = both(sees, either(less(here - j, whole(o.window)), in_prefix));
  if (o.q_segments) {
    const Tensor mine = reshape(o.q_segments, {B, 1, 1, Tq, 1}), other = reshape(o.k_segments, {B, 1, 1, 1, Tk});
    sees = both(sees, either(binary(RGM_EQUAL, mine, other), in_prefix));
    sees = both(sees, less(whole(0), mine));
  }
  return sees;
}

// softmax along the last axis; a row that sees nothing is 0
Tensor masked_softmax(const Tensor& scores, const Tensor& sees) {
  if (!sees) return ops::softmax(scores, -1);
  const Tensor zero = full({}, 0), lowest = full({}, -INFINITY);
  const Tensor seen = select(less(whole(0), sees), scores, lowest);
  const Tensor largest = detach(reduce(RGM_MAXIMUM, 1U << 4, seen, true));
  const Tensor e = exp(seen - select(binary(RGM_EQUAL, largest, lowest), zero, largest));
  const Tensor total = reduce(RGM_SUM, 1U << 4, e, true);
  return e / select(binary(RGM_EQUAL, total, zero), full({}, 1), total);
}

}  // namespace

Tensor attention(const Tensor& query, const Tensor& keys, const Tensor& values, const AttentionOptions& o,
                 const Tensor& key) {
  const Tensor q = as_float(query), k = as_float(keys), v = as_float(values);
  const int64_t B = q.size(0), Tq = q.size(1), H = q.size(2), D = q.size(3), Tk = k.size(1), Hkv = k.size(2);
  const int32_t heads_first[] = {0, 2, 1, 3}, heads_first_of_groups[] = {0, 2, 3, 1, 4};
  // (B, Hkv, H / Hkv, T, D)
  const Tensor q5 = permute(reshape(q, {B, Tq, Hkv, H / Hkv, D}), heads_first_of_groups);
  const auto grouped = [&](const Tensor& x) {
    return reshape(contiguous(permute(x, heads_first)), {B, Hkv, 1, Tk, x.size(3)});
  };
  Tensor scores = matmul(q5, false, grouped(k), true, o.softcap > 0 ? o.scale / o.softcap : o.scale);
  if (o.softcap > 0) scores = o.softcap * unary(RGM_TANH, scores);
  Tensor p = masked_softmax(scores, visible(B, Tq, Tk, o));
  if (key) {
    const Tensor u = reshape(random_of({B, H, Tq, Tk}, RGM_UNIFORM, key), p.shape());
    p = select(less(u, full({}, o.dropout)), full({}, 0), (1 / (1 - o.dropout)) * p);
  }
  const Tensor y = reshape(matmul(p, false, grouped(v), false), {B, H, Tq, v.size(3)});
  return contiguous(permute(y, heads_first));
}

}  // namespace rgm::composed
