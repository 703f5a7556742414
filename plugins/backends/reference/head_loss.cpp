// head_loss.cpp - log-probabilities of targets under a language model's head, and their gradient, a row of logits at a
// time. With z = scale cap(x w^T) and p = softmax z: d(-weight logprob)/dz = weight (p - onehot(target)).
#include "kernels.hpp"
#include "product.hpp"

namespace regimen::reference {
namespace {

double at_row(const rgm_view& v, int64_t row) { return get(v, row * v.stride[0]); }
void put_row(const rgm_view& v, int64_t row, double x) { put(v, row * v.stride[0], x); }

struct Distribution {
  double log_sum, entropy;
};

// row: x w^T becomes z; slopes: dz / d(x w^T)
Distribution distribution(const rgm_head_loss& a, std::vector<double>& slopes, double* row) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0, expected = 0;
  for (size_t v = 0; v < slopes.size(); ++v) {
    slopes[v] = a.scale;
    if (a.features & RGM_HEAD_SOFTCAP) {
      const double t = std::tanh(row[v] / a.softcap);
      row[v] = a.softcap * t;
      slopes[v] *= 1 - t * t;
    }
    row[v] *= a.scale;
    largest = std::max(largest, row[v]);
  }
  for (size_t v = 0; v < slopes.size(); ++v) sum += std::exp(row[v] - largest);
  const double log_sum = largest + std::log(sum);
  for (size_t v = 0; v < slopes.size(); ++v) expected += std::exp(row[v] - log_sum) * row[v];
  return {log_sum, log_sum - expected};
}

}  // namespace

rgm_status head_loss(rgm_queue*, const rgm_head_loss* args) {
  return guard([&] {
    const rgm_head_loss& a = *args;
    accept_features(a.features, RGM_HEAD_SOFTCAP | RGM_HEAD_ENTROPY | RGM_HEAD_GRAD, "head_loss");
    require(a.x->rank == 2 && a.w->rank == 2 && a.x->shape[1] == a.w->shape[1], "head_loss: x is (M, C), w is (V, C)");
    const int64_t M = a.x->shape[0], C = a.x->shape[1], V = a.w->shape[0];
    require_shape(*a.targets, {M}, "head_loss: targets are (M)");
    for (int64_t i = 0; i < M; ++i) require(at_row(*a.targets, i) < double(V), "head_loss: a target outside of w");
    const bool grad = a.features & RGM_HEAD_GRAD;
    const std::vector<double> w = grad && a.dx ? matrix(*a.w) : std::vector<double>();
    std::vector<double> dw(static_cast<size_t>(grad && a.dw ? V * C : 0)), slopes(static_cast<size_t>(V)),
        x(static_cast<size_t>(C)), dx(x);
    product(*a.x, matrix(transposed(*a.w)), V, [&](int64_t i, double* row) {
      const auto target = static_cast<int64_t>(at_row(*a.targets, i));
      const bool counts = target >= 0;
      const Distribution p = distribution(a, slopes, row);
      if (a.logprobs) put_row(*a.logprobs, i, counts ? row[target] - p.log_sum : 0);
      if (a.features & RGM_HEAD_ENTROPY) put_row(*a.entropy, i, counts ? p.entropy : 0);
      if (!grad) return;
      std::fill(dx.begin(), dx.end(), 0.0);
      load(*a.x, i * a.x->stride[0], C, a.x->stride[1], x.data());
      const double weight = counts ? at_row(*a.weights, i) : 0;
      for (int64_t v = 0; counts && v < V; ++v) {
        const double dz = weight * (std::exp(row[v] - p.log_sum) - (v == target)) * slopes[static_cast<size_t>(v)];
        for (int64_t c = 0; a.dx && c < C; ++c) dx[static_cast<size_t>(c)] += dz * w[static_cast<size_t>(v * C + c)];
        for (int64_t c = 0; a.dw && c < C; ++c) dw[static_cast<size_t>(v * C + c)] += dz * x[static_cast<size_t>(c)];
      }
      if (a.dx) store(*a.dx, i * a.dx->stride[0], C, a.dx->stride[1], dx.data());
    });
    for (int64_t v = 0; grad && a.dw && v < V; ++v) {
      load(*a.dw, v * a.dw->stride[0], C, a.dw->stride[1], x.data());
      for (int64_t c = 0; c < C; ++c) x[static_cast<size_t>(c)] += dw[static_cast<size_t>(v * C + c)];
      store(*a.dw, v * a.dw->stride[0], C, a.dw->stride[1], x.data());
    }
  });
}

}  // namespace regimen::reference
