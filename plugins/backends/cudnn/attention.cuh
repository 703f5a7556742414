// attention.cuh - what attention and its gradient share on the device: strides, and which query sees which key.
#pragma once
#include "kernels.hpp"
#include "philox.cuh"
#include "views.cuh"

namespace regimen::cudnn {

template <class T>
struct Heads {  // (B, T, H, D)
  T* data = nullptr;
  int64_t stride[4]{};
  __device__ T* head(int64_t b, int64_t h) const { return data + b * stride[0] + h * stride[2]; }
  __device__ T& at(T* head, int64_t t, int64_t d) const { return head[t * stride[1] + d * stride[3]]; }
};
template <class T>
Heads<T> heads(const rgm_view* v) {
  if (!v) return {};
  return {data<T>(*v), {v->stride[0], v->stride[1], v->stride[2], v->stride[3]}};
}
template <class T>
struct Table {  // (B, n)
  T* data = nullptr;
  int64_t row = 0, column = 0;
  __device__ T at(int64_t b, int64_t i) const { return data[b * row + i * column]; }
};
template <class T>
Table<T> table_of(const rgm_view* v) {
  return v ? Table<T>{data<T>(*v), v->stride[0], v->rank > 1 ? v->stride[1] : 0} : Table<T>{};
}

struct Rules {
  uint32_t features;
  float scale, softcap, dropout;
  int64_t B, Tq, Tk, H, Hkv, D, Dv, window, prefix;
  Table<const int32_t> q_segments, k_segments, lengths;
  const int32_t* key;
  int64_t key_step;

  __device__ bool has(uint32_t feature) const { return features & feature; }
  __device__ int64_t used(int64_t b) const { return has(RGM_ATTENTION_LENGTHS) ? lengths.at(b, 0) : Tk; }
  __device__ bool sees(int64_t b, int64_t i, int64_t j, int64_t in_use) const {
    const int64_t here = i + in_use - Tq;  // the last query stands at the last key in use
    const bool in_prefix = j < prefix;
    if (j >= in_use) return false;
    if (has(RGM_ATTENTION_CAUSAL) && j > here) return false;
    if (has(RGM_ATTENTION_WINDOW) && here - j >= window && !in_prefix) return false;
    if (!has(RGM_ATTENTION_SEGMENTS)) return true;
    const int32_t mine = q_segments.at(b, i);
    return mine != 0 && (in_prefix || mine == k_segments.at(b, j));
  }
  // The score of a pair from q . k, and its slope by that
  __device__ float score(float dot, float& slope) const {
    const float s = dot * scale;
    slope = scale;
    if (!has(RGM_ATTENTION_SOFTCAP)) return s;
    const float t = tanhf(s / softcap);
    slope = scale * (1 - t * t);
    return softcap * t;
  }
  __device__ float kept(int64_t b, int64_t h, int64_t i, int64_t j) const {
    if (!key) return 1;
    const float u = Philox(key, key_step).uniform(static_cast<uint64_t>(((b * H + h) * Tq + i) * Tk + j));
    return u < dropout ? 0 : 1 / (1 - dropout);
  }
  // Behind a prefix, keys before this one are out of a query's window.
  __device__ int64_t first_key(int64_t i, int64_t in_use) const {
    return has(RGM_ATTENTION_WINDOW) ? max(int64_t{0}, i + in_use - Tq - min(window, Tk) + 1) : 0;
  }
  // Queries from this one on have the key out of their window.
  __device__ int64_t end_of_queries(int64_t j, int64_t in_use) const {
    return has(RGM_ATTENTION_WINDOW) && j >= prefix ? min(Tq, j + min(window, Tk) - in_use + Tq) : Tq;
  }
  // Of keys that go 32 at a time, the next that count where those from `begin` on would be.
  __device__ int64_t from(int64_t begin, int64_t first) const {
    return begin < prefix ? begin : max(begin, first / 32 * 32);
  }
  // The keys that a causal query can see end here, whatever else holds.
  __device__ int64_t end_of_keys(int64_t i, int64_t in_use) const {
    return has(RGM_ATTENTION_CAUSAL) ? min(in_use, i + in_use - Tq + 1) : in_use;
  }
};

inline Rules rules_of(const rgm_attention& a, const char* kernel) {
  constexpr uint32_t known = RGM_ATTENTION_CAUSAL | RGM_ATTENTION_SOFTCAP | RGM_ATTENTION_DROPOUT |
                             RGM_ATTENTION_WINDOW | RGM_ATTENTION_PREFIX | RGM_ATTENTION_SEGMENTS |
                             RGM_ATTENTION_LENGTHS;
  accept_features(a.features, known, kernel);
  const auto if_has = [&](uint32_t bit, const rgm_view* v) { return a.features & bit ? v : nullptr; };
  Rules r{};
  r.features = a.features;
  r.scale = static_cast<float>(a.scale), r.softcap = static_cast<float>(a.softcap),
  r.dropout = static_cast<float>(a.dropout);
  r.B = a.q->shape[0], r.Tq = a.q->shape[1], r.H = a.q->shape[2], r.D = a.q->shape[3];
  r.Tk = a.k->shape[1], r.Hkv = a.k->shape[2], r.Dv = a.v->shape[3];
  require(a.q->rank == 4 && r.Hkv > 0 && r.H % r.Hkv == 0,
          "attention: q is (B, T, H, D), H a multiple of the heads of k");
  r.window = a.window;
  r.prefix = a.features & RGM_ATTENTION_PREFIX ? a.prefix : 0;
  r.q_segments = table_of<const int32_t>(if_has(RGM_ATTENTION_SEGMENTS, a.q_segments));
  r.k_segments = table_of<const int32_t>(if_has(RGM_ATTENTION_SEGMENTS, a.k_segments));
  r.lengths = table_of<const int32_t>(if_has(RGM_ATTENTION_LENGTHS, a.k_lengths));
  if (const rgm_view* key = if_has(RGM_ATTENTION_DROPOUT, a.key))
    r.key = data<const int32_t>(*key), r.key_step = key->stride[0];
  if (r.D > 256 || r.Dv > 256) unsupported(std::string(kernel) + ": heads wider than 256");
  return r;
}

// One query a row. False: not a form that it serves, nothing was done.
bool decode_attention(rgm_queue* q, const rgm_attention& args, const Rules& rules);

constexpr int warps = 4;       // in a block, each with a query (or a key) of its own
constexpr int most_lines = 8;  // elements of a head that a lane holds: 32 lanes, 256 elements

// body(std::integral_constant<int, n>) with the least n lines that hold D elements
template <class F>
void with_lines(int64_t D, F&& body) {
  if (D <= 64) return body(std::integral_constant<int, 2>{});
  if (D <= 128) return body(std::integral_constant<int, 4>{});
  body(std::integral_constant<int, most_lines>{});
}

}  // namespace regimen::cudnn
