// attention.hpp - what attention and its gradient share: the sizes, which query sees which key, the score of a pair,
// and what dropout leaves of it.
#pragma once
#include <optional>

#include "philox.hpp"

namespace regimen::reference {

struct Score {
  double value, slope;  // slope: of the value by q . k
};

class Attention {
 public:
  const rgm_attention& a;
  const int64_t B, Tq, H, D, Tk, Hkv, Dv;

  explicit Attention(const rgm_attention& args);

  bool has(uint32_t feature) const { return a.features & feature; }
  // Whether query i of row b sees key j; kernels.h states the rules.
  bool sees(int64_t b, int64_t i, int64_t j) const {
    const int64_t here = i + used_[static_cast<size_t>(b)] - Tq;  // the last query stands at the last key in use
    const bool in_prefix = j < prefix_;
    if (j >= used_[static_cast<size_t>(b)]) return false;
    if (has(RGM_ATTENTION_CAUSAL) && j > here) return false;
    if (has(RGM_ATTENTION_WINDOW) && here - j >= a.window && !in_prefix) return false;
    if (!has(RGM_ATTENTION_SEGMENTS)) return true;
    const int64_t mine = q_segments_[static_cast<size_t>(b * Tq + i)];
    return mine != 0 && (in_prefix || mine == k_segments_[static_cast<size_t>(b * Tk + j)]);
  }
  Score score(const double* q, const double* k) const {
    double s = 0;
    for (int64_t d = 0; d < D; ++d) s += q[d] * k[d];
    s *= a.scale;
    if (!has(RGM_ATTENTION_SOFTCAP)) return {s, a.scale};
    const double t = std::tanh(s / a.softcap);
    return {a.softcap * t, a.scale * (1 - t * t)};
  }
  // Dropout's factor: element (b, h, i, j), row-major in (B, H, Tq, Tk), of a uniform draw; dropped below the rate.
  double kept(int64_t b, int64_t h, int64_t i, int64_t j) {
    if (!philox_) return 1;
    const double u = philox_->uniform(static_cast<uint64_t>(((b * H + h) * Tq + i) * Tk + j));
    return u < a.dropout ? 0 : 1 / (1 - a.dropout);
  }
  int64_t group() const { return H / Hkv; }  // heads of q that one head of k and v serves

  static rgm_view head(const rgm_view& x, int64_t b, int64_t h) {  // x[b, :, h, :]
    const int64_t at = b * x.stride[0] + h * x.stride[2];
    return {data<char>(x) + at * static_cast<int64_t>(size_of(x.dtype)),
            x.dtype,
            2,
            {x.shape[1], x.shape[3]},
            {x.stride[1], x.stride[3]}};
  }

 private:
  std::vector<int64_t> used_, q_segments_, k_segments_;  // used_: keys in use, a row each
  int64_t prefix_ = 0;
  std::optional<Philox> philox_;
};

}  // namespace regimen::reference
