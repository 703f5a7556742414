// gradients_elementwise.cpp - the gradients of operations that work element by element.
#include "tensor/gradients.hpp"

#include "tensor/support.hpp"

namespace rgm::gradients {

void unary(Backward& b) { b.add(0, unary_gradient(static_cast<int32_t>(b.arguments().i[0]), b.saved(0), b.take_dy())); }
void scale(Backward& b) { b.add(0, scaled(b.take_dy(), b.arguments().f[0])); }
void add(Backward& b) {
  b.add(0, b.dy());
  b.add(1, b.take_dy());
}
void subtract(Backward& b) {
  b.add(0, b.dy());
  if (b.needs(1)) b.add(1, scaled(b.take_dy(), -1));
}
void multiply(Backward& b) {
  if (b.needs(0)) b.add(0, ops::multiply(b.dy(), b.saved(1)));
  if (b.needs(1)) b.add(1, ops::multiply(b.dy(), b.saved(0)));
}
// These are the widest tensors of a layer: each gradient takes the memory of what it is made of.
void gated(Backward& b) {
  if (b.needs(1)) {
    Tensor du = ops::unary(static_cast<int32_t>(b.arguments().i[0]), b.saved(0));
    kernel::binary(RGM_MUL, b.dy().view(), du.view(), du.view());
    b.add(1, std::move(du));
  }
  if (!b.needs(0)) return;
  const Tensor dy = b.take_dy();
  Tensor da = writable(dy) ? dy : empty(dy.shape());
  kernel::binary(RGM_MUL, dy.view(), b.saved(1).view(), da.view());
  b.add(0, std::move(da));
}
// d(a / b) = da / b - db (a / b) / b
void divide(Backward& b) {
  const Tensor da = b.dy() / b.saved(1);
  if (b.needs(1)) b.add(1, scaled(da * (b.saved(0) / b.saved(1)), -1));
  b.add(0, da);
}
// Equal ones share the gradient.
void extreme(Backward& b) {
  const Tensor half = 0.5 * ops::cast(ops::binary(RGM_EQUAL, b.saved(0), b.saved(1)), RGM_F32);
  for (size_t i = 0; i < 2; ++i) {
    if (!b.needs(i)) continue;
    const bool smaller_wins = b.arguments().i[0] == RGM_MIN;
    const Tensor &mine = b.saved(i), &other = b.saved(1 - i);
    const Tensor wins = smaller_wins ? ops::binary(RGM_LESS, mine, other) : ops::binary(RGM_LESS, other, mine);
    b.add(i, b.dy() * (ops::cast(wins, RGM_F32) + half));
  }
}
// By select and not by a product: a NaN or infinity on the other side stays there.
void select(Backward& b) {
  const Tensor zero = ops::full({}, 0);
  if (b.needs(0)) b.add(0, ops::select(b.saved(0), b.dy(), zero));
  if (b.needs(1)) b.add(1, ops::select(b.saved(0), zero, b.dy()));
}
void cast(Backward& b) { b.add(0, b.take_dy()); }
void dropout(Backward& b) { b.add(0, scaled(ops::select(b.saved(0), b.dy(), ops::full({}, 0)), b.arguments().f[0])); }

}  // namespace rgm::gradients
