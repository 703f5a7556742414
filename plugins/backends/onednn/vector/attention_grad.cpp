// attention_grad.cpp - the gradient of attention for one head of k and v and all heads of q that it serves. The
// probabilities are made again from lse, tile by tile; with delta = sum(dy y): ds = p (dy v^T - delta).
#include "attention.hpp"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
void clear(float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = 0;
}
void write(const float* x, int64_t rows, int64_t columns, float* y, int64_t stride) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t d = 0; d < columns; ++d) y[i * stride + d] = x[i * columns + d];
}

// scores and dp (dy v^T) become p and ds, scaled for the products with q and k.
ONEDNN_INLINE void row_grad(const Attention& job, float* s, float* dp, int64_t width, float lse, float delta) {
  const float cap = job.softcap, scale = job.scale;
  for (int64_t j = 0; j < width; j += kLanes) {
    const Vec score = load(s + j);
    const Vec p = lse == -kInfinity ? Vec{} : exp(score - lse);
    Vec ds = p * (load(dp + j) - delta) * scale;
    if (cap > 0) {
      const Vec u = score / cap;
      ds = score == -kInfinity ? Vec{} : ds * (1.0f - u * u);
    }
    store(s + j, p);
    store(dp + j, ds);
  }
}
}  // namespace

void attention_grad(const Attention& job, int64_t b, int64_t kv, float* scratch) {
  const int64_t group = job.H / job.Hkv, h0 = kv * group, D = job.D, Dv = job.Dv, Tq = job.Tq;
  float* keys = scratch;                // (D, kTile)
  float* values = keys + D * kTile;     // (Dv, kTile)
  float* dk = values + Dv * kTile;      // (keys, D)
  float* dv = dk + kTile * D;           // (keys, Dv)
  float* scores = dv + kTile * Dv;      // (rows, kTile)
  float* dp = scores + kTile * kTile;   // (rows, kTile)
  float* delta = dp + kTile * kTile;    // (group, Tq)
  float* factors = delta + group * Tq;  // (rows, kTile), with dropout

  for (int64_t g = 0; g < group; ++g)
    for (int64_t i = 0; i < Tq; ++i) {
      delta[g * Tq + i] = dot(at(job.y, b, i, h0 + g), at(job.dy, b, i, h0 + g), Dv);
      clear(at_mutable(job.dq, b, i, h0 + g), D);
    }

  Tile t{b, used_keys(job, b), 0, 0, 0, 0};
  for (t.j0 = 0; t.j0 < job.Tk; t.j0 += kTile) {
    const int64_t all = job.Tk - t.j0 < kTile ? job.Tk - t.j0 : kTile;  // keys not in use get gradients of 0
    t.keys = t.used - t.j0 < all ? t.used - t.j0 : all;
    clear(dk, kTile * D);
    clear(dv, kTile * Dv);
    if (t.keys > 0) {
      const int64_t width = padded(t.keys);
      transpose(job.k, b, kv, t, D, width, keys);
      transpose(job.v, b, kv, t, Dv, width, values);
      const float* k = at(job.k, b, t.j0, kv);
      for (int64_t g = 0; g < group; ++g)
        for (t.i0 = 0; t.i0 < Tq; t.i0 += kTile) {
          t.rows = Tq - t.i0 < kTile ? Tq - t.i0 : kTile;
          if (is_hidden(job, t)) continue;
          each_band(job, t, [&](const Tile& band, int64_t) {
            const float *q = at(job.q, b, band.i0, h0 + g), *dy = at(job.dy, b, band.i0, h0 + g);
            const int64_t width = padded(band.keys);
            score(job, h0 + g, kv, band, width, keys, scores);
            pairs(band, job.dy, h0 + g, job.v, kv, Dv, values, width, 1, dp);
            mask(job, band, scores, width);
            if (job.key) {
              dropout(job, band, h0 + g, factors);
              multiply(band, factors, dp);
            }
            for (int64_t i = 0; i < band.rows; ++i)
              row_grad(job, scores + i * kTile, dp + i * kTile, width,
                       job.lse[b * job.lse_b + (h0 + g) * job.lse_h + (band.i0 + i) * job.lse_t],
                       delta[g * Tq + band.i0 + i]);
            if (job.key) multiply(band, factors, scores);
            product({band.keys, Dv, band.rows, scores, 1, kTile, dy, job.dy.t, dv, Dv, 1, true});
            product({band.keys, D, band.rows, dp, 1, kTile, q, job.q.t, dk, D, 1, true});
            float* dq = at_mutable(job.dq, b, band.i0, h0 + g);
            product({band.rows, D, band.keys, dp, kTile, 1, k, job.k.t, dq, job.dq.t, 1, true});
          });
        }
    }
    write(dk, all, D, at_mutable(job.dk, b, t.j0, kv), job.dk.t);
    write(dv, all, Dv, at_mutable(job.dv, b, t.j0, kv), job.dv.t);
  }
}

}  // namespace regimen::onednn::ONEDNN_ISA
