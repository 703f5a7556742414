// attention.cpp - attention of a tile of queries over all keys they see, with the softmax kept up to date from tile to
// tile (FlashAttention: Dao et al., 2022), so that the scores (Tq, Tk) never exist.
#include "attention.hpp"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
// One row: scores become exp(score - top), top and sum follow. Returns by how much what was summed before shrinks.
ONEDNN_INLINE float absorb(float* s, int64_t width, float& top, float& total) {
  Vec best = splat(top);
  for (int64_t j = 0; j < width; j += kLanes) best = max(load(s + j), best);
  const float next = maximum(best);
  if (next == -kInfinity) {  // nothing is seen, or NaN, which no maximum is: that goes into the sum
    Vec nan = {};
    for (int64_t j = 0; j < width; j += kLanes) {
      const Vec score = load(s + j);
      nan += score == score ? Vec{} : score;
      store(s + j, Vec{});
    }
    total += sum(nan);
    return 1;
  }
  const float shrink = exp(splat(top - next))[0];
  Vec added = {};
  for (int64_t j = 0; j < width; j += kLanes) {
    const Vec e = exp(load(s + j) - next);
    store(s + j, e);
    added += e;
  }
  total = total * shrink + sum(added);
  top = next;
  return shrink;
}
}  // namespace

int64_t attention_scratch(const Attention& job, bool grad) {
  const int64_t group = job.H / job.Hkv, factors = job.key ? kTile * kTile : 0;
  if (grad) return kTile * (2 * job.D + 2 * job.Dv + 2 * kTile) + group * job.Tq + factors;
  return kTile * (job.D + job.Dv + kTile + 2) + factors;
}

void attention(const Attention& job, int64_t b, int64_t h, int64_t tile, float* scratch) {
  const int64_t kv = h / (job.H / job.Hkv), D = job.D, Dv = job.Dv;
  Tile t{b, used_keys(job, b), tile * kTile, 0, 0, 0};
  t.rows = job.Tq - t.i0 < kTile ? job.Tq - t.i0 : kTile;
  float* keys = scratch;              // (D, kTile)
  float* scores = keys + D * kTile;   // (rows, kTile)
  float* y = scores + kTile * kTile;  // (rows, Dv)
  float* top = y + kTile * Dv;
  float* total = top + kTile;
  float* factors = total + kTile;  // (rows, kTile), with dropout
  for (int64_t i = 0; i < t.rows; ++i) top[i] = -kInfinity, total[i] = 0;
  for (int64_t i = 0; i < t.rows * Dv; ++i) y[i] = 0;

  for (t.j0 = 0; t.j0 < t.used; t.j0 += kTile) {
    t.keys = t.used - t.j0 < kTile ? t.used - t.j0 : kTile;
    if (is_hidden(job, t)) continue;
    if (t.rows > kFew) transpose(job.k, b, kv, t, D, padded(t.keys), keys);
    each_band(job, t, [&](const Tile& band, int64_t first) {
      const int64_t width = padded(band.keys);
      float* sums = y + first * Dv;
      score(job, h, kv, band, width, keys, scores);
      mask(job, band, scores, width);
      for (int64_t i = 0; i < band.rows; ++i) {
        const float shrink = absorb(scores + i * kTile, width, top[first + i], total[first + i]);
        if (shrink != 1) map(sums + i * Dv, sums + i * Dv, Dv, [shrink](Vec v) { return v * shrink; });
      }
      if (job.key) {  // the sum of the softmax is of all weights, dropped or not
        dropout(job, band, h, factors);
        multiply(band, factors, scores);
      }
      product({band.rows, Dv, band.keys, scores, kTile, 1, at(job.v, b, t.j0, kv), job.v.t, sums, Dv, 1, true});
    });
  }
  for (int64_t i = 0; i < t.rows; ++i) {
    const bool blind = total[i] == 0;
    map(y + i * Dv, at_mutable(job.y, b, t.i0 + i, h), Dv,
        [scale = blind ? 0 : 1 / total[i]](Vec v) { return v * scale; });
    if (job.lse)
      job.lse[b * job.lse_b + h * job.lse_h + (t.i0 + i) * job.lse_t] =
          blind ? -kInfinity : top[i] + log(splat(total[i]))[0];
  }
}

}  // namespace regimen::onednn::ONEDNN_ISA
