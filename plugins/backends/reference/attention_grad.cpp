// attention_grad.cpp - the gradient of attention: with p the weights, m dropout's factor and e = dy v^T m,
// dv = (p m)^T dy, dscore = p (e - sum of p e), dq = dscore k, dk = dscore^T q. Weights come back from lse.
#include "attention.hpp"
#include "kernels.hpp"

namespace regimen::reference {
namespace {

void store_matrix(const rgm_view& to, const std::vector<double>& from) {
  for (int64_t i = 0; i < to.shape[0]; ++i)
    store(to, i * to.stride[0], to.shape[1], to.stride[1], from.data() + i * to.shape[1]);
}

struct Gradient {  // of one head of k and v in row b, and of the heads of q that it serves
  Attention& at;
  int64_t b, hkv;
  std::vector<double> k, v, dk, dv;

  Gradient(Attention& attention, int64_t row, int64_t head)
      : at(attention),
        b(row),
        hkv(head),
        k(matrix(Attention::head(*at.a.k, b, hkv))),
        v(matrix(Attention::head(*at.a.v, b, hkv))),
        dk(k.size()),
        dv(v.size()) {}

  void head_of_q(int64_t h) {
    const std::vector<double> q = matrix(Attention::head(*at.a.q, b, h)), dy = matrix(Attention::head(*at.a.dy, b, h));
    std::vector<double> dq(q.size());
    const rgm_view& lse = *at.a.lse;
    for (int64_t i = 0; i < at.Tq; ++i)
      query(h, i, get(lse, b * lse.stride[0] + h * lse.stride[1] + i * lse.stride[2]), q.data() + i * at.D,
            dy.data() + i * at.Dv, dq.data() + i * at.D);
    store_matrix(Attention::head(*at.a.dq, b, h), dq);
  }

  void query(int64_t h, int64_t i, double lse, const double* q, const double* dy, double* dq) {
    const auto Tk = static_cast<size_t>(at.Tk);
    std::vector<double> weight(Tk), slope(Tk), e(Tk);
    double total = 0;
    for (int64_t j = 0; j < at.Tk; ++j) {
      if (!at.sees(b, i, j)) continue;
      const Score score = at.score(q, k.data() + j * at.D);
      const double p = std::exp(score.value - lse), kept = at.kept(b, h, i, j);
      double dot = 0;
      for (int64_t d = 0; d < at.Dv; ++d) {
        dot += dy[d] * v[static_cast<size_t>(j * at.Dv + d)];
        dv[static_cast<size_t>(j * at.Dv + d)] += p * kept * dy[d];
      }
      const auto J = static_cast<size_t>(j);
      weight[J] = p;
      slope[J] = score.slope;
      e[J] = dot * kept;
      total += p * e[J];
    }
    for (size_t j = 0; j < Tk; ++j) {
      if (weight[j] == 0) continue;
      const double ds = weight[j] * (e[j] - total) * slope[j];
      for (size_t d = 0; d < static_cast<size_t>(at.D); ++d) {
        dq[d] += ds * k[j * static_cast<size_t>(at.D) + d];
        dk[j * static_cast<size_t>(at.D) + d] += ds * q[d];
      }
    }
  }
};

}  // namespace

rgm_status attention_grad(rgm_queue*, const rgm_attention* args) {
  return guard([&] {
    Attention at(*args);
    require_shape(*args->dy, {at.B, at.Tq, at.H, at.Dv}, "attention_grad: dy is (B, T, H, D)");
    require(same_shape(*args->dq, *args->q) && same_shape(*args->dk, *args->k) && same_shape(*args->dv, *args->v),
            "attention_grad: dq, dk and dv have the shapes of q, k and v");
    for (int64_t b = 0; b < at.B; ++b)
      for (int64_t hkv = 0; hkv < at.Hkv; ++hkv) {
        Gradient gradient(at, b, hkv);
        for (int64_t h = hkv * at.group(); h < (hkv + 1) * at.group(); ++h) gradient.head_of_q(h);
        store_matrix(Attention::head(*args->dk, b, hkv), gradient.dk);
        store_matrix(Attention::head(*args->dv, b, hkv), gradient.dv);
      }
  });
}

}  // namespace regimen::reference
