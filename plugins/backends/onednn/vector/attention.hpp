// attention.hpp - what both directions of attention share: scores of a tile of queries against a tile of keys, and
// which of them count.
#pragma once
#include "kernels.hpp"
#include "math.hpp"
#include "regimen/abi/tensor.h"
#include "transpose.hpp"

namespace regimen::onednn::ONEDNN_ISA {

struct Tile {  // one (batch, query head): queries [i0, i0 + rows) against keys [j0, j0 + keys)
  int64_t b, used, i0, rows, j0, keys;
};

inline const float* at(const Heads& x, int64_t b, int64_t t, int64_t h) { return x.data + b * x.b + t * x.t + h * x.h; }
inline float* at_mutable(const Heads& x, int64_t b, int64_t t, int64_t h) {
  return x.data + b * x.b + t * x.t + h * x.h;
}
inline int64_t used_keys(const Attention& job, int64_t b) {
  return job.lengths ? job.lengths[b * job.lengths_b] : job.Tk;
}
inline int32_t query_segment(const Attention& job, int64_t b, int64_t i) {
  return job.q_segments[b * job.q_segments_b + i * job.q_segments_t];
}
inline int32_t key_segment(const Attention& job, int64_t b, int64_t j) {
  return job.k_segments[b * job.k_segments_b + j * job.k_segments_t];
}

// Whether no query of the tile sees a key of it (cheap, may miss some), so that packed rows cost what they are worth.
inline bool is_hidden(const Attention& job, const Tile& t) {
  const int64_t shift = t.used - job.Tq, last = t.i0 + t.rows - 1 + shift;
  if (job.causal && t.j0 > last) return true;
  if (t.j0 < job.prefix) return false;
  if (t.i0 + shift - (t.j0 + t.keys - 1) >= job.window) return true;
  if (!job.q_segments) return false;
  int32_t q_low = INT32_MAX, q_high = INT32_MIN, k_low = INT32_MAX, k_high = INT32_MIN;
  for (int64_t i = 0; i < t.rows; ++i) {
    const int32_t s = query_segment(job, t.b, t.i0 + i);
    q_low = s < q_low ? s : q_low;
    q_high = s > q_high ? s : q_high;
  }
  for (int64_t j = 0; j < t.keys; ++j) {
    const int32_t s = key_segment(job, t.b, t.j0 + j);
    k_low = s < k_low ? s : k_low;
    k_high = s > k_high ? s : k_high;
  }
  return q_high < k_low || k_high < q_low;
}

// body(tile, its first row in t): t at once, or where the causal mask cuts through it, bands of rows with the keys that
// the last of each sees, so that little is computed in vain.
template <class F>
ONEDNN_INLINE void each_band(const Attention& job, const Tile& t, F body) {
  constexpr int64_t kBand = 24;  // whole blocks of rows of a product on every instruction set
  const int64_t shift = t.used - job.Tq;
  if (!job.causal || t.i0 + shift >= t.j0 + t.keys - 1) return body(t, 0);
  for (int64_t r = 0; r < t.rows; r += kBand) {
    Tile band = t;
    band.i0 += r;
    band.rows = t.rows - r < kBand ? t.rows - r : kBand;
    const int64_t seen = band.i0 + band.rows + shift - t.j0;
    if (seen <= 0) continue;
    band.keys = seen < t.keys ? seen : t.keys;
    body(band, r);
  }
}

// Scores (rows, kTile) of hidden pairs, and of the lanes that fill the last vector, become -infinity.
inline void mask(const Attention& job, const Tile& t, float* scores, int64_t width) {
  const int64_t shift = t.used - job.Tq;
  int32_t segment[kTile];
  if (job.q_segments)
    for (int64_t j = 0; j < t.keys; ++j) segment[j] = key_segment(job, t.b, t.j0 + j);
  for (int64_t i = 0; i < t.rows; ++i) {
    float* s = scores + i * kTile;
    const int64_t self = t.i0 + i + shift;
    int64_t end = t.keys;  // of the keys in sight, counted in the tile
    if (job.causal && self + 1 - t.j0 < end) end = self + 1 - t.j0;
    for (int64_t j = end < 0 ? 0 : end; j < width; ++j) s[j] = -kInfinity;
    const int64_t own = job.prefix - t.j0 > 0 ? job.prefix - t.j0 : 0;  // the first key that is no prefix
    for (int64_t j = own; j < t.keys && self - (t.j0 + j) >= job.window; ++j) s[j] = -kInfinity;
    if (job.q_segments) {
      const int32_t mine = query_segment(job, t.b, t.i0 + i);
      for (int64_t j = mine ? own : 0; j < t.keys; ++j) s[j] = segment[j] == mine && mine ? s[j] : -kInfinity;
    }
  }
}

// factors (rows, kTile): 0 where dropout drops a pair, else 1 / (1 - p). Pair (b, h, i, j) has that number, row-major.
inline void dropout(const Attention& job, const Tile& t, int64_t h, float* factors) {
  const float keep = 1.0f / (1.0f - job.dropout);
  for (int64_t i = 0; i < t.rows; ++i) {
    float* f = factors + i * kTile;
    random(job.key, RGM_UNIFORM, ((t.b * job.H + h) * job.Tq + t.i0 + i) * job.Tk + t.j0, f, t.keys);
    map(f, f, t.keys, [&job, keep](Vec u) { return u < job.dropout ? Vec{} : splat(keep); });
  }
}
inline void multiply(const Tile& t, const float* factors, float* scores) {
  for (int64_t i = 0; i < t.rows; ++i)
    map(scores + i * kTile, factors + i * kTile, scores + i * kTile, t.keys, [](Vec s, Vec f) { return s * f; });
}

// out (D, kTile) = x (keys, D) transposed; columns up to width are filled with 0.
inline void transpose(const Heads& x, int64_t b, int64_t h, const Tile& t, int64_t D, int64_t width, float* out) {
  for (int64_t j = 0; j < width; j += kLanes) {
    const int64_t rows = t.keys - j < kLanes ? t.keys - j : kLanes;
    transpose_strip(at(x, b, t.j0 + j, h), x.t, rows, D, out + j, kTile);
  }
}
inline int64_t padded(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

inline float dot(const float* a, const float* b, int64_t n) {
  Vec s = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) s += load(a + i) * load(b + i);
  if (i < n) s += load(a + i, n - i) * load(b + i, n - i);
  return sum(s);
}

inline constexpr int64_t kFew = 4;  // queries for which transposing keys would cost more than the products

// out (rows, kTile) = scale x y^T for queries x and keys y: few by dot products, else with y already transposed.
inline void pairs(const Tile& t, const Heads& x, int64_t h, const Heads& y, int64_t kv, int64_t D,
                  const float* transposed, int64_t width, float scale, float* out) {
  if (t.rows > kFew)
    return product({t.rows, width, D, at(x, t.b, t.i0, h), x.t, 1, transposed, kTile, out, kTile, scale, false});
  for (int64_t i = 0; i < t.rows; ++i)
    for (int64_t j = 0; j < width; ++j)
      out[i * kTile + j] = j < t.keys ? dot(at(x, t.b, t.i0 + i, h), at(y, t.b, t.j0 + j, kv), D) * scale : 0;
}

// scores (rows, kTile) = cap(scale q k^T)
inline void score(const Attention& job, int64_t h, int64_t kv, const Tile& t, int64_t width, const float* keys,
                  float* scores) {
  pairs(t, job.q, h, job.k, kv, job.D, keys, width, job.scale, scores);
  for (int64_t i = 0; i < t.rows && job.softcap > 0; ++i)
    map(scores + i * kTile, scores + i * kTile, t.keys, [&job](Vec s) { return job.softcap * tanh(s / job.softcap); });
}

}  // namespace regimen::onednn::ONEDNN_ISA
