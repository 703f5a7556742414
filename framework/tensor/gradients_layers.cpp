// gradients_layers.cpp - the gradients of norms, rotary positions and attention: by a kernel of the backend, else
// through the composed form.
#include "tensor/gradients.hpp"

#include "tensor/attention.hpp"
#include "tensor/collect.hpp"
#include "tensor/composed.hpp"
#include "tensor/norm.hpp"

namespace rgm::gradients {

void norm(Backward& b) {
  const Tensor &x = b.saved(0), &w = b.saved(1), &bias = b.saved(2), &mean = b.saved(3), &rstd = b.saved(4);
  const double epsilon = b.arguments().f[0];
  const rgm_kernels& k = kernel::table();
  const Tensor dy = rows_of(b.dy()), rows = rows_of(x);
  // Added to what x has collected so far, where that may be written over.
  Tensor so_far = b.take(0), dw, db;
  const bool adds = so_far && writable(so_far) && is_contiguous(so_far.view());
  if (b.needs(1)) dw = collected(b, 1);
  if (b.needs(2)) db = collected(b, 2);
  const auto run = [&](const Tensor& dx, uint32_t feature) {
    rgm_norm args = norm_arguments(rows.view(), w, bias, mean, rstd, epsilon);
    const rgm_view dy_view = dy.view(), dx_rows = *views::rows(dx.view());
    args.features |= feature;
    args.dy = &dy_view;
    args.dx = &dx_rows;
    args.dw = dw ? &dw.view() : nullptr;
    args.db = db ? &db.view() : nullptr;
    return kernel::ran_with(k.norm_grad, args, {&rgm_norm::dy}, {});
  };
  const bool added = adds && RGM_HAS(&k, norm_grad) && run(so_far, RGM_NORM_ADD);
  if (so_far) b.put(0, std::move(so_far));
  Tensor dx = added ? Tensor() : empty(x.shape());
  const bool fused = added || (RGM_HAS(&k, norm_grad) && run(dx, 0));
  if (dw) b.put(1, std::move(dw));
  if (db) b.put(2, std::move(db));
  if (added) return;
  if (fused) return b.add(0, std::move(dx));
  const Tensor inputs[] = {x, w, bias};
  replay(b, inputs, [&](auto in) { return composed::norm(in[0], in[1], in[2], epsilon, bool(mean)); });
}

// A turn by the angle is undone by the turn by minus the angle.
void rope(Backward& b) { b.add(0, ops::rope(b.take_dy(), b.saved(0), b.saved(1), -b.saved(2))); }

void attention(Backward& b) {
  const Tensor &q = b.saved(0), &k = b.saved(1), &v = b.saved(2), &key = b.saved(5);
  const auto& options = *static_cast<const ops::AttentionOptions*>(b.arguments().more.get());
  const Tensor inputs[] = {q, k, v};
  if (auto gradients = attention_gradients(q, k, v, b.saved(3), b.saved(4), key, b.dy(), options))
    for (size_t i = 0; i < 3; ++i) b.add(i, std::move((*gradients)[i]));
  else
    replay(b, inputs, [&](auto in) { return composed::attention(in[0], in[1], in[2], options, key); });
}

void replay(Backward& b, std::span<const Tensor> inputs,
            const std::function<Tensor(std::span<const Tensor>)>& composed) {
  std::vector<Tensor> leaves;
  for (size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(inputs[i] ? alias(inputs[i], inputs[i].view()) : Tensor());
    if (b.needs(i)) leaves[i].set_trained(true);
  }
  Tensor y;
  {
    const WithGradient scope;
    y = composed(leaves);
  }
  backward_from(y, as_float(b.dy()));
  for (size_t i = 0; i < inputs.size(); ++i)
    if (b.needs(i)) b.add(i, leaves[i].take_gradient());
}

}  // namespace rgm::gradients
