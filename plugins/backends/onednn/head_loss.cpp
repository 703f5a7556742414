// head_loss.cpp - log-probabilities of targets, entropy and gradients, with logits made for some rows at a time and
// turned into their gradient in place. Rows without a target are left out of all products.
#include "kernels.hpp"

namespace regimen::onednn {
namespace {
constexpr int64_t kLogits = int64_t{10} << 20;  // at once: 40 MiB

int32_t target_of(const rgm_view& targets, int64_t i) { return data<int32_t>(targets)[i * targets.stride[0]]; }

rgm_view plain(void* memory, int64_t rows, int64_t columns, int64_t stride) {
  rgm_view v{};
  v.data = memory, v.dtype = RGM_F32, v.rank = 2;
  v.shape[0] = rows, v.shape[1] = columns, v.stride[0] = stride, v.stride[1] = 1;
  return v;
}
rgm_view turned(rgm_view v) {
  std::swap(v.shape[0], v.shape[1]);
  std::swap(v.stride[0], v.stride[1]);
  return v;
}
}  // namespace

rgm_status head_loss(rgm_queue* q, const rgm_head_loss* args) {
  return kernel(q, [&] {
    const rgm_head_loss& a = *args;
    accept_features(a.features, RGM_HEAD_SOFTCAP | RGM_HEAD_ENTROPY | RGM_HEAD_GRAD, "head_loss");
    const bool grad = a.features & RGM_HEAD_GRAD, wants_entropy = a.features & RGM_HEAD_ENTROPY;
    const Matrix x = matrix(a.x, "head_loss");
    Matrix w;
    if ((a.w->dtype != RGM_F32 && a.w->dtype != RGM_BF16) || a.w->rank != 2 || !is_matrix(*a.w, w))
      unsupported("onednn: head_loss wants rows without gaps of float32 or bfloat16");
    const int64_t M = x.rows, C = x.columns, V = w.rows;
    require(w.columns == C && a.targets->rank == 1 && a.targets->shape[0] == M && a.targets->dtype == RGM_I32,
            "head_loss: x is (M, C), w (V, C), targets (M) I32");
    const auto numbers = [&](const rgm_view* v) -> float* {
      if (!v || !v->data) return nullptr;
      if (v->dtype != RGM_F32 || v->rank != 1 || !is_contiguous(*v)) unsupported("onednn: head_loss wants plain rows");
      require(v->shape[0] == M, "head_loss: a result of another length than x has rows");
      return data<float>(*v);
    };
    float *logprobs = numbers(a.logprobs), *entropy = wants_entropy ? numbers(a.entropy) : nullptr;
    const float* weights = grad ? numbers(a.weights) : nullptr;
    require(!grad || weights, "head_loss: the gradient needs weights");
    const bool wants_dx = grad && a.dx && a.dx->data, wants_dw = grad && a.dw && a.dw->data;
    const Matrix dx = wants_dx ? matrix(a.dx, "head_loss") : Matrix{};
    require(!wants_dw || (a.dw->dtype == RGM_F32 && a.dw->rank == 2 && a.dw->shape[0] == V && a.dw->shape[1] == C),
            "head_loss: dw is (V, C) F32");

    auto* kept = static_cast<int32_t*>(q->scratch.bytes(Scratch::kPartials, static_cast<size_t>(M) * 4));
    for (int64_t i = 0; i < M; ++i)
      require(target_of(*a.targets, i) < V, "head_loss: a target is outside of the vocabulary");
    int64_t n = 0;
    for (int64_t i = 0; i < M; ++i) {
      const int32_t target = target_of(*a.targets, i);
      if (target >= 0) kept[n++] = static_cast<int32_t>(i);
      if (logprobs) logprobs[i] = 0;
      if (entropy) entropy[i] = 0;
      if (target < 0 && wants_dx) std::fill_n(dx.row(i), C, 0.0f);
    }
    if (n == 0) return;
    const bool all = n == M, apart = !all || x.data == dx.data;  // dx may be x, and dw still needs x
    const int64_t chunks = (n + std::max<int64_t>(32, kLogits / V) - 1) / std::max<int64_t>(32, kLogits / V);
    const int64_t rows = (n + chunks - 1) / chunks;
    float* memory = q->scratch.floats(Scratch::kRows, rows * V + (apart ? 2 * rows * C : 0));
    float *x_rows = memory + rows * V, *dx_rows = x_rows + rows * C;
    const rgm_view weight = *a.w;
    const float softcap = a.features & RGM_HEAD_SOFTCAP ? static_cast<float>(a.softcap) : 0;

    for (int64_t first = 0; first < n; first += rows) {
      const int64_t m = std::min(rows, n - first);
      const rgm_view logits = plain(memory, m, V, V);
      rgm_view input = plain(x.row(first), m, C, x.stride);
      if (apart) {
        for (int64_t i = 0; i < m; ++i) std::copy_n(x.row(kept[first + i]), C, x_rows + i * C);
        input = plain(x_rows, m, C, C);
      }
      multiply(q, 1, input, turned(weight), 0, logits);
      parallel(threads(q), m, std::max<int64_t>(1, kGrain / 4 / V), [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t row = kept[first + i];
          const HeadResult result =
              vector(q).head({V, memory + i * V, static_cast<float>(a.scale), softcap, grad ? weights[row] : 0,
                              target_of(*a.targets, row), grad, wants_entropy});
          if (logprobs) logprobs[row] = result.logprob;
          if (entropy) entropy[row] = result.entropy;
        }
      });
      if (wants_dw) multiply(q, 1, turned(logits), input, 1, *a.dw);
      if (!wants_dx) continue;
      multiply(q, 1, logits, weight, 0, apart ? plain(dx_rows, m, C, C) : plain(dx.row(first), m, C, dx.stride));
      if (apart)
        for (int64_t i = 0; i < m; ++i) std::copy_n(dx_rows + i * C, C, dx.row(kept[first + i]));
    }
  });
}

}  // namespace regimen::onednn
