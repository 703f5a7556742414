// head.cpp - log-probabilities of targets under softmax(x w^T), and the cross entropy whose gradient is taken at once.
#include "tensor/head.hpp"

#include <fmt/format.h>

#include "tensor/gradients.hpp"
#include "tensor/packed.hpp"
#include "tensor/support.hpp"

namespace rgm::ops {
namespace {

void require_head(const char* name, const Tensor& x, const Tensor& w) {
  require(x.rank() == 2 && w.rank() == 2 && x.size(1) == w.size(1), "{}: x of shape {} does not fit a head of shape {}",
          name, x.shape().text(), w.shape().text());
  if (packed_form(w)) throw Error(RGM_INTERNAL, fmt::format("{}: a packed head returns only logits", name));
}
void require_rows(const char* name, const char* what, const Tensor& t, const Tensor& x) {
  require(t.shape() == Shape({x.size(0)}), "{}: {} have shape {}, expected ({})", name, what, t.shape().text(),
          x.size(0));
}

}  // namespace

std::pair<Tensor, Tensor> head_logprobs(const Tensor& x, const Tensor& w, const Tensor& targets, bool entropy,
                                        const HeadOptions& options) {
  require_head("head_logprobs", x, w);
  require_rows("head_logprobs", "targets", targets, x);
  HeadLoss task{.x = x, .w = w, .targets = cast(targets, RGM_I32), .options = options};
  std::array<Tensor, 2> out{empty({x.size(0)}), entropy ? empty({x.size(0)}) : Tensor()};
  task.logprobs = out[0];
  task.entropy = out[1];
  {
    const NoGradient no_gradient;
    head_loss(task);
  }
  if (would_record({&x, &w})) {
    const std::array<Tensor, 2> inputs{x, w};
    record("head_logprobs", gradients::head_logprobs, inputs, std::span(out.data(), entropy ? 2 : 1),
           {x, w, task.targets}, {.f = {options.scale, options.softcap}});
  }
  return {out[0], out[1]};
}

Tensor head_cross_entropy(const Tensor& x, const Tensor& w, const Tensor& targets, const Tensor& given,
                          const HeadOptions& options) {
  require_head("head_cross_entropy", x, w);
  require_rows("head_cross_entropy", "targets", targets, x);
  require_rows("head_cross_entropy", "weights", given, x);
  const Tensor weights = as_float(given);
  const bool records = would_record({&x, &w, &weights});
  HeadLoss task{.x = x, .w = w, .targets = cast(targets, RGM_I32), .options = options};
  Tensor y;
  {
    const NoGradient no_gradient;
    task.logprobs = empty({x.size(0)});
    if (records && x.needs_gradient()) task.dx = empty(x.shape(), task.dx_dtype());
    if (records && w.needs_gradient()) task.dw = zeros_like(w.view());
    if (task.dx || task.dw) task.weights = dense_of(weights);
    head_loss(task);
    y = scaled(sum(weights * task.logprobs), -1);
    if (records && weights.needs_gradient()) task.logprobs = scaled(std::move(task.logprobs), -1);
  }
  if (records)
    record("head_cross_entropy", gradients::head_sum, {&x, &w, &weights}, {&y}, {task.dx, task.dw, task.logprobs});
  return y;
}

}  // namespace rgm::ops

namespace rgm {

rgm_dtype HeadLoss::dx_dtype() const { return native_bf16(x, w) ? RGM_BF16 : RGM_F32; }

void head_loss(const HeadLoss& task) {
  const rgm_kernels& k = kernel::table();
  // The kernel knows no gradient of the entropy.
  if (!RGM_HAS(&k, head_loss) || task.entropy_weights) return composed_head_loss(task);
  const bool native = native_bf16(task.x, task.w);
  const Tensor x = dense_of(native ? task.x : as_float(task.x)), w = native ? task.w : as_weight(task.w);
  const Tensor weights = task.weights ? dense_of(task.weights) : task.weights;
  rgm_head_loss args{};
  args.struct_size = sizeof args;
  args.features = (task.options.softcap > 0 ? uint32_t{RGM_HEAD_SOFTCAP} : 0) |
                  (task.entropy ? uint32_t{RGM_HEAD_ENTROPY} : 0) | (task.dx || task.dw ? uint32_t{RGM_HEAD_GRAD} : 0);
  args.scale = task.options.scale;
  args.softcap = task.options.softcap;
  const auto view = [](const Tensor& t) { return t ? &t.view() : nullptr; };
  // A gradient alone needs no log-probabilities, but the kernel may want a place for them.
  const Tensor logprobs = task.logprobs ? task.logprobs : empty({x.size(0)});
  args.x = &x.view(), args.w = &w.view(), args.targets = &task.targets.view();
  args.logprobs = &logprobs.view(), args.entropy = view(task.entropy);
  args.weights = view(weights), args.dx = view(task.dx), args.dw = view(task.dw);
  if (!kernel::ran_with(k.head_loss, args, {&rgm_head_loss::x, &rgm_head_loss::w}, {&rgm_head_loss::dx}))
    composed_head_loss(task);
}

}  // namespace rgm
