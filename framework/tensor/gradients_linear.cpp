// gradients_linear.cpp - the gradient of a linear layer: by one kernel where the backend has it, else by products.
#include "tensor/collect.hpp"
#include "tensor/gradients.hpp"
#include "tensor/quantized.hpp"

namespace rgm {

Step* Backward::activated_for_us(size_t i) const {
  Step* const maker = step_.inputs[i].step.get();
  if (!maker || maker->rule != gradients::linear || maker->uses != 1 || maker->arguments.i[0] == 0) return nullptr;
  const bool residual = maker->inputs[3].needed();  // which wants the gradient behind the activation
  const bool fits = !residual && !maker->gradients[step_.inputs[i].output];
  return fits ? maker : nullptr;
}

namespace gradients {
namespace {

Tensor column_sums(const Tensor& x) {  // of x (M, N), in float32
  Tensor y = empty({1, x.size(1)});
  kernel::reduce(RGM_SUM, 1, x.view(), y.view());
  const rgm_view v = dense_view({x.size(1)}, RGM_F32, y.view().data);
  return seen_as(std::move(y), v);
}

// Where a kernel leaves the gradient of input i: in what that has collected so far, to which it adds, or in memory of
// its own.
struct Place {
  Tensor g;
  bool adds = false;
  explicit operator bool() const { return bool(g); }
};
Place place_for(Backward& b, size_t i, rgm_dtype dtype) {
  if (!b.needs(i)) return {};
  Tensor g = b.take(i);
  if (!g) return {empty_like(b.like(i), dtype), false};
  if (writable(g, dtype)) return {std::move(g), true};
  Tensor own = empty_like(b.like(i), dtype);
  kernel::copy(g.view(), own.view());
  return {std::move(own), true};
}

// False: nothing was done. x, w: as the products read them, dpre (M, out).
bool by_one_kernel(Backward& b, const Tensor& dpre, const Tensor& x, const Tensor& w, bool native) {
  const rgm_kernels& k = kernel::table();
  const bool dx_in_rows = !b.needs(0) || views::rows(views::layout_like(b.like(0), RGM_F32)).has_value();
  if (!dx_in_rows || (!native && b.needs(0) && b.dtype(0) != RGM_F32)) return false;
  Step* const maker = b.needs(0) ? b.activated_for_us(0) : nullptr;
  Place dx = place_for(b, 0, b.dtype(0)), dw = place_for(b, 1, RGM_F32), db = place_for(b, 2, RGM_F32);
  const auto dx_rows = dx ? views::rows(dx.g.view()) : std::nullopt;
  rgm_linear_grad args{};
  args.struct_size = sizeof args;
  args.features = (dx.adds ? uint32_t{RGM_LINEAR_GRAD_ADD_DX} : 0) | (dw.adds ? uint32_t{RGM_LINEAR_GRAD_ADD_DW} : 0) |
                  (db.adds ? uint32_t{RGM_LINEAR_GRAD_ADD_DB} : 0);
  args.dy = &dpre.view();
  args.x = dw ? &x.view() : nullptr;
  args.weight = dx ? &w.view() : nullptr;
  args.dx = dx ? &*dx_rows : nullptr;
  args.dw = dw ? &dw.g.view() : nullptr;
  args.db = db ? &db.g.view() : nullptr;
  const auto run = [&] { return kernel::ran(k.linear_grad(kernel::queue(), &args)); };
  bool through = maker && maker->saved[2] && Shape(*dx_rows) == maker->saved[2].shape();
  if (through) {
    rgm_linear_grad plain = args;
    args.features |= RGM_LINEAR_GRAD_ACTIVATION;
    args.activation = static_cast<int32_t>(maker->arguments.i[0]);
    args.aux = &maker->saved[2].view();
    if (!run()) args = plain, through = false;
  }
  const bool done = through || ((!dx || dx_rows) && run());
  if (through) maker->before_activation = true;
  // What was not written goes back as it came.
  if (dx && (done || dx.adds)) b.put(0, std::move(dx.g));
  if (dw && (done || dw.adds)) b.put(1, std::move(dw.g));
  if (db && (done || db.adds)) b.put(2, std::move(db.g));
  return done;
}

}  // namespace

// A gated product is cheap to make again.
bool remakes(const Step* maker) { return maker && maker->rule == gated && maker->saved.size() == 2 && maker->saved[1]; }
Tensor remade(const Step& maker) {
  Tensor y = ops::unary(static_cast<int32_t>(maker.arguments.i[0]), maker.saved[0]);
  kernel::binary(RGM_MUL, y.view(), maker.saved[1].view(), y.view());
  return y;
}

// With pre = x w^T + b: dpre = dy activation'(pre), dx = dpre w, dw = dpre^T x, db = sum of dpre, dresidual = dy
void linear(Backward& b) {
  const auto activation = b.before_activation() ? 0 : static_cast<int32_t>(b.arguments().i[0]);
  const bool native = b.arguments().i[1];
  const Tensor x = b.saved(0) || !b.needs(1) ? b.saved(0) : remade(*b.maker(0)),
               w = b.saved(1) ? readable(b.saved(1), native ? RGM_BF16 : RGM_F32) : Tensor();
  b.add(3, b.dy());
  Tensor dpre = rows_of(b.take_dy());
  if (activation) dpre = unary_gradient(activation, b.saved(2), std::move(dpre));
  const rgm_kernels& k = kernel::table();
  if (RGM_HAS(&k, linear_grad)) {
    const Tensor rows = x && b.needs(1) ? rows_of(native ? x : as_float(x)) : Tensor();
    if (by_one_kernel(b, dpre, rows, w && !native ? as_float(w) : w, native)) return;
  }
  if (b.needs(2)) b.add(2, column_sums(dpre));
  if (b.needs(0) || b.needs(1)) dpre = matching(dpre, native);
  if (b.needs(1)) {
    const Tensor rows = rows_of(native ? x : as_float(x));
    accumulate(b, 1, native, [&](const rgm_view& g, double beta) {
      kernel::matmul(1, views::transposed(dpre.view()), rows.view(), beta, g);
    });
  }
  if (!b.needs(0)) return;
  const Tensor weight = native || w.dtype() == RGM_BF16 ? w : as_float(w);
  if (views::rows(views::layout_like(b.like(0), RGM_F32))) {
    accumulate(b, 0, native, [&](const rgm_view& g, double beta) {
      if (const auto rows = views::rows(g)) return kernel::matmul(1, dpre.view(), weight.view(), beta, *rows);
      const Tensor dx = empty(Shape(g), g.dtype);
      kernel::matmul(1, dpre.view(), weight.view(), 0, *views::rows(dx.view()));
      if (beta != 0) return kernel::binary(RGM_ADD, g, dx.view(), g);
      kernel::copy(dx.view(), g);
    });
    return;
  }
  const Tensor dx = empty(Shape(b.like(0)));
  kernel::matmul(1, dpre.view(), weight.view(), 0, *views::rows(dx.view()));
  b.add(0, dx);
}

}  // namespace gradients
}  // namespace rgm
