// attention.cpp - softmax(cap(scale q k^T)) v over the keys that each query sees (Vaswani et al. 2017), with grouped
// heads (Ainslie et al. 2023). The log-sum-exp of the scores is kept for the gradient.
#include "attention.hpp"

#include "kernels.hpp"

namespace regimen::reference {
namespace {

std::vector<int64_t> integers(const rgm_view& v) {
  std::vector<int64_t> out;
  Rows<1>({&v}).each([&](auto at, int64_t n, auto step) {
    const size_t before = out.size();
    out.resize(before + static_cast<size_t>(n));
    load(v, at[0], n, step[0], out.data() + before);
  });
  return out;
}

}  // namespace

Attention::Attention(const rgm_attention& args)
    : a(args),
      B(a.q->shape[0]),
      Tq(a.q->shape[1]),
      H(a.q->shape[2]),
      D(a.q->shape[3]),
      Tk(a.k->shape[1]),
      Hkv(a.k->shape[2]),
      Dv(a.v->shape[3]),
      used_(static_cast<size_t>(B), Tk) {
  accept_features(a.features,
                  RGM_ATTENTION_CAUSAL | RGM_ATTENTION_SOFTCAP | RGM_ATTENTION_DROPOUT | RGM_ATTENTION_WINDOW |
                      RGM_ATTENTION_PREFIX | RGM_ATTENTION_SEGMENTS | RGM_ATTENTION_LENGTHS,
                  "attention");
  require(a.q->rank == 4 && Hkv > 0 && H % Hkv == 0, "attention: q is (B, T, H, D), H a multiple of the heads of k");
  require_shape(*a.k, {B, Tk, Hkv, D}, "attention: k is (B, T, Hkv, D)");
  require_shape(*a.v, {B, Tk, Hkv, Dv}, "attention: v is (B, T, Hkv, D)");
  if (has(RGM_ATTENTION_PREFIX)) prefix_ = a.prefix;
  if (has(RGM_ATTENTION_DROPOUT)) philox_.emplace(*a.key);
  if (has(RGM_ATTENTION_LENGTHS)) {
    require_shape(*a.k_lengths, {B}, "attention: k_lengths is (B)");
    used_ = integers(*a.k_lengths);
    for (int64_t n : used_) require(n >= 0 && n <= Tk, "attention: a length outside of the keys");
  }
  if (has(RGM_ATTENTION_SEGMENTS)) {
    require_shape(*a.q_segments, {B, Tq}, "attention: q_segments is (B, T)");
    require_shape(*a.k_segments, {B, Tk}, "attention: k_segments is (B, T)");
    q_segments_ = integers(*a.q_segments);
    k_segments_ = integers(*a.k_segments);
  }
}

rgm_status attention(rgm_queue*, const rgm_attention* args) {
  return guard([&] {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    Attention at(*args);
    require_shape(*args->y, {at.B, at.Tq, at.H, at.Dv}, "attention: y is (B, T, H, D)");
    std::vector<double> weights(static_cast<size_t>(at.Tk)), sums(static_cast<size_t>(at.Dv));
    for (int64_t b = 0; b < at.B; ++b)
      for (int64_t h = 0; h < at.H; ++h) {
        const std::vector<double> q = matrix(Attention::head(*args->q, b, h)),
                                  k = matrix(Attention::head(*args->k, b, h / at.group())),
                                  v = matrix(Attention::head(*args->v, b, h / at.group()));
        const rgm_view y = Attention::head(*args->y, b, h);
        for (int64_t i = 0; i < at.Tq; ++i) {
          double largest = -infinity, sum = 0;
          for (int64_t j = 0; j < at.Tk; ++j) {
            double& weight = weights[static_cast<size_t>(j)];
            weight = at.sees(b, i, j) ? at.score(q.data() + i * at.D, k.data() + j * at.D).value : -infinity;
            largest = std::max(largest, weight);
          }
          std::fill(sums.begin(), sums.end(), 0.0);
          for (int64_t j = 0; j < at.Tk; ++j) {
            if (!at.sees(b, i, j)) continue;
            const double weight = std::exp(weights[static_cast<size_t>(j)] - largest);
            const double kept = weight * at.kept(b, h, i, j);
            sum += weight;
            for (int64_t d = 0; d < at.Dv; ++d)
              sums[static_cast<size_t>(d)] += kept * v[static_cast<size_t>(j * at.Dv + d)];
          }
          const bool blind = sum == 0;  // not where it is NaN
          for (double& s : sums) s /= blind ? 1 : sum;
          store(y, i * y.stride[0], at.Dv, y.stride[1], sums.data());
          if (const rgm_view* lse = args->lse)
            put(*lse, b * lse->stride[0] + h * lse->stride[1] + i * lse->stride[2],
                blind ? -infinity : largest + std::log(sum));
        }
      }
  });
}

}  // namespace regimen::reference
