// gradients_head.cpp - the gradients of the head over tokens, whose logits are never whole.
#include "tensor/gradients.hpp"

#include "tensor/collect.hpp"
#include "tensor/head.hpp"

namespace rgm::gradients {

void head_logprobs(Backward& b) {
  HeadLoss task{.x = b.saved(0), .w = b.saved(1), .targets = b.saved(2)};
  task.options = {b.arguments().f[0], b.arguments().f[1]};
  task.weights = b.dy(0) ? scaled(b.dy(0), -1) : zeros({task.x.size(0)});
  if (b.outputs() > 1) task.entropy_weights = b.dy(1);
  if (b.needs(1)) task.dw = collected(b, 1);
  if (b.needs(0)) task.dx = empty(task.x.shape(), task.dx_dtype());
  head_loss(task);
  if (task.dw) b.put(1, std::move(task.dw));
  b.add(0, std::move(task.dx));
}
// The gradients were taken in the forward pass, for dy = 1.
void head_sum(Backward& b) {
  const bool as_they_are = b.starts_here();
  if (b.needs(2)) b.add(2, b.dy() * b.saved(2));
  for (size_t i = 0; i < 2; ++i) {
    if (!b.needs(i)) continue;
    Tensor g = b.take_saved(i);
    if (!as_they_are && g.dtype() != RGM_F32)
      g = g * b.dy();
    else if (!as_they_are)
      kernel::binary(RGM_MUL, g.view(), broadcast_to(b.dy().view(), g.shape()), g.view());
    b.add(i, std::move(g));
  }
}

}  // namespace rgm::gradients
