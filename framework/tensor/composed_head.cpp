// composed_head.cpp - head_loss from products and elementwise operations, a chunk of rows at a time.
#include <algorithm>

#include "tensor/head.hpp"
#include "tensor/support.hpp"

namespace rgm {

// 4 Mi logits, 16 MiB, at once, but no fewer rows than a product needs to be fast.
int64_t head_rows(int64_t V) { return std::max<int64_t>(64, (int64_t{1} << 22) / std::max<int64_t>(V, 1)); }

HeadChunk::HeadChunk(const Tensor& x, const Tensor& w, const ops::HeadOptions& options) : scale(options.scale) {
  z = ops::matmul(x, false, w, true, options.softcap > 0 ? 1 / options.softcap : options.scale);
  if (options.softcap <= 0) return;
  const Tensor t = ops::unary(RGM_TANH, z);
  slope = ops::affine(ops::unary(RGM_SQUARE, t), -scale, scale);
  z = ops::affine(t, options.softcap * scale, 0);
}

void HeadChunk::back(Tensor dz, const Tensor& x, const Tensor& w, const Tensor& dx, const Tensor& dw) const {
  dz = slope ? dz * slope : scaled(std::move(dz), scale);
  if (dx) {
    const Tensor out = dx.dtype() == RGM_F32 ? dx : empty(dx.shape());
    kernel::matmul(1, dz.view(), w.view(), 0, out.view());
    if (out.get() != dx.get()) kernel::copy(out.view(), dx.view());
  }
  if (dw) kernel::matmul(1, views::transposed(dz.view()), as_float(x).view(), 1, dw.view());
}

namespace {

Tensor part(const Tensor& t, int64_t begin, int64_t end) { return t ? ops::slice(t, 0, begin, end) : t; }
Tensor column(const Tensor& t) { return ops::reshape(t, {t.size(0), 1}); }

// `wide`: w as products with float32 take it.
void chunk(const HeadLoss& task, const Tensor& wide) {
  const int64_t n = task.x.size(0), V = task.w.size(0);
  const HeadChunk logits(task.x, task.w, task.options);
  const Tensor zero = ops::full({}, 0), zero_index = ops::full({}, 0, RGM_I32);
  const Tensor out = ops::binary(RGM_LESS, task.targets, zero_index);  // rows that are left out
  const Tensor target = ops::binary(RGM_MAX, task.targets, zero_index);
  const Tensor log_p = logits.z - ops::reduce(RGM_LOGSUMEXP, 2, logits.z, true), p = ops::exp(log_p);
  if (task.logprobs) assign(task.logprobs, ops::select(out, zero, ops::pick(log_p, target)));
  Tensor entropy;  // (n, 1)
  if (task.entropy || task.entropy_weights) entropy = -ops::reduce(RGM_SUM, 2, p * log_p, true);
  if (task.entropy) assign(task.entropy, ops::select(out, zero, ops::reshape(entropy, {n})));
  if (!task.dx && !task.dw) return;
  const Tensor weights = ops::select(out, zero, task.weights);
  // d(-logprob)/dz = p - onehot(target); dH/dz = -p (log p + H)
  Tensor dz = ops::contiguous(p * column(weights));
  const Tensor places = ops::affine(ops::iota(n), static_cast<double>(V), 0) + target;
  kernel::scatter_add(0, places.view(), (-weights).view(), dense_view({n * V}, RGM_F32, dz.view().data));
  if (task.entropy_weights) dz = dz - p * (log_p + entropy) * column(ops::select(out, zero, task.entropy_weights));
  logits.back(std::move(dz), task.x, wide, task.dx, task.dw);
}

}  // namespace

void composed_head_loss(const HeadLoss& task) {
  const NoGradient no_gradient;
  const int64_t M = task.x.size(0), rows = head_rows(task.w.size(0));
  const Tensor wide = task.dx ? as_weight(task.w) : task.w;
  for (int64_t begin = 0; begin < M; begin += rows) {
    const int64_t end = std::min(M, begin + rows);
    HeadLoss some = task;
    for (Tensor* t :
         {&some.x, &some.targets, &some.logprobs, &some.entropy, &some.weights, &some.entropy_weights, &some.dx})
      *t = part(*t, begin, end);
    chunk(some, wide);
  }
}

}  // namespace rgm
