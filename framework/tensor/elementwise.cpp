// elementwise.cpp - operations element by element: full, unary, binary, affine, select, cast, dropout.
#include <cmath>

#include "tensor/composed.hpp"
#include "tensor/gradients.hpp"
#include "tensor/support.hpp"

namespace rgm {

// NOLINTNEXTLINE(performance-unnecessary-value-param): what is nobody else's is written to
Tensor unary_gradient(int32_t op, const Tensor& x, Tensor dy) {
  const rgm_kernels& k = kernel::table();
  if (RGM_HAS(&k, unary_grad)) {
    Tensor dx = writable(dy, dy.dtype()) ? dy : empty(x.shape(), dy.dtype());
    const auto call = [&](const auto& v) { return k.unary_grad(kernel::queue(), op, v[0], v[1], v[2]); };
    if (kernel::ran_on(std::array{&x.view(), &dy.view(), &dx.view()}, call)) return dx;
  }
  return ops::cast(composed::unary_gradient(op, x, dy), dy.dtype());
}

namespace ops {
namespace {

bool is_whole(double x) { return x == std::trunc(x) && std::abs(x) < 0x1p31; }

GradientRule binary_rule(int32_t op) {
  switch (op) {
    case RGM_ADD: return gradients::add;
    case RGM_SUB: return gradients::subtract;
    case RGM_MUL: return gradients::multiply;
    case RGM_DIV: return gradients::divide;
    default: return gradients::extreme;
  }
}

std::vector<Tensor> binary_saved(int32_t op, const Tensor& a, const Tensor& b) {
  const Tensor none;
  switch (op) {
    case RGM_ADD:
    case RGM_SUB: return {};
    case RGM_MUL: return {b.needs_gradient() ? a : none, a.needs_gradient() ? b : none};
    case RGM_DIV: return {b.needs_gradient() ? a : none, b};
    default: return {a, b};
  }
}

}  // namespace

Tensor full(const Shape& shape, double value, rgm_dtype dtype) {
  Tensor y = empty(shape, dtype);
  kernel::fill(value, y.view());
  return y;
}

Tensor iota(int64_t n) {
  const std::shared_ptr<Device>& device = share_current_device();  // owns what nobody may write to
  const size_t bytes = static_cast<size_t>(n) * sizeof(int32_t);
  return with_storage(dense_view({n}, RGM_I32), std::make_shared<Storage>(device, device->counting(n), bytes, device));
}

Tensor unary(int32_t op, const Tensor& input) {
  require(op >= RGM_NEG && op <= RGM_GELU_ERF, "unary: {} is not an operation", op);
  const Tensor x = as_float(input);
  Tensor y = empty(x.shape());
  kernel::unary(op, x.view(), y.view());
  if (!would_record({&x})) return y;
  if (op == RGM_NEG)
    record("neg", gradients::scale, {&x}, {&y}, {}, {.f = {-1}});
  else
    record("unary", gradients::unary, {&x}, {&y}, {x}, {.i = {op}});
  return y;
}

// Integers with integers are computed in int32, everything else in float32.
Tensor binary(int32_t op, const Tensor& left, const Tensor& right) {
  require(op >= RGM_ADD && op <= RGM_EQUAL, "binary: {} is not an operation", op);
  const rgm_dtype dtype = is_float(left.dtype()) || is_float(right.dtype()) ? RGM_F32 : RGM_I32;
  const Tensor a = cast(left, dtype), b = cast(right, dtype);
  const Shape shape = a.shape() == b.shape() ? a.shape() : rgm::broadcast(a.shape(), b.shape(), "binary");
  Tensor y = empty(shape, op >= RGM_LESS ? RGM_BOOL : dtype);
  kernel::binary(op, broadcast_to(a.view(), shape), broadcast_to(b.view(), shape), y.view());
  if (op < RGM_LESS && would_record({&a, &b}))
    record("binary", binary_rule(op), {&a, &b}, {&y}, binary_saved(op, a, b), {.i = {op}});
  return y;
}

namespace {
// What the activation of the linear layer that made `a` was given; that layer keeps it anyway.
Tensor before_activation(const Tensor& a) {
  const Step* const maker = a.get()->step.get();
  if (!maker || maker->rule != gradients::linear || maker->is_passed()) return {};
  if (maker->arguments.i[0] == 0 || !maker->saved[2]) return {};
  const Tensor& given = maker->saved[2];
  const bool fits = given.dtype() == RGM_F32 && given.count() == a.count() && is_contiguous(a.view());
  return fits ? alias(given, dense_view(a.shape(), RGM_F32, given.view().data)) : Tensor();
}

// activation(g) u of a gated mlp: what the activation answered is not kept but computed again.
Tensor gated(const Tensor& a, const Tensor& given, const Tensor& u) {
  Tensor y = empty(a.shape());
  kernel::binary(RGM_MUL, a.view(), u.view(), y.view());
  record("gated", gradients::gated, {&a, &u}, {&y}, {given, a.needs_gradient() ? u : Tensor()},
         {.i = {a.get()->step->arguments.i[0]}});
  return y;
}
}  // namespace

Tensor multiply(const Tensor& a, const Tensor& b) {
  const bool plain = a.dtype() == RGM_F32 && b.dtype() == RGM_F32 && a.shape() == b.shape();
  if (plain && would_record({&b}))
    if (const Tensor given = before_activation(a)) return gated(a, given, b);
  if (a.dtype() != RGM_BF16 || b.dtype() != RGM_BF16) return binary(RGM_MUL, a, b);
  require(a.shape() == b.shape(), "multiply: shapes {} and {} differ", a.shape().text(), b.shape().text());
  Tensor y = empty(a.shape(), RGM_BF16);
  kernel::binary(RGM_MUL, a.view(), b.view(), y.view());
  if (would_record({&a, &b})) record("multiply", gradients::multiply, {&a, &b}, {&y}, binary_saved(RGM_MUL, a, b));
  return y;
}

Tensor affine(const Tensor& input, double scale, double shift) {
  const bool whole = !is_float(input.dtype()) && is_whole(scale) && is_whole(shift);
  Tensor x = cast(input, whole ? RGM_I32 : RGM_F32);
  if (scale == 1 && shift == 0) return x;
  Tensor y = empty(x.shape(), x.dtype());
  const auto with = [&](int32_t op, const Tensor& from, double number) {
    const Tensor scalar = full({}, number, x.dtype());
    kernel::binary(op, from.view(), broadcast_to(scalar.view(), x.shape()), y.view());
  };
  if (scale != 1) with(RGM_MUL, x, scale);
  if (shift != 0) with(RGM_ADD, scale != 1 ? y : x, shift);
  if (would_record({&x})) record("affine", gradients::scale, {&x}, {&y}, {}, {.f = {scale}});
  return y;
}

Tensor select(const Tensor& condition, const Tensor& yes, const Tensor& no) {
  if (condition.dtype() != RGM_BOOL)  // what is not 0 holds
    return select(binary(RGM_EQUAL, condition, full({}, 0, RGM_I32)), no, yes);
  const rgm_dtype dtype = common_type(yes.dtype(), no.dtype());
  const Tensor a = cast(yes, dtype), b = cast(no, dtype);
  const Shape shape = rgm::broadcast(rgm::broadcast(a.shape(), b.shape(), "select"), condition.shape(), "select");
  Tensor y = empty(shape, dtype);
  kernel::select(broadcast_to(condition.view(), shape), broadcast_to(a.view(), shape), broadcast_to(b.view(), shape),
                 y.view());
  if (would_record({&a, &b})) record("select", gradients::select, {&a, &b}, {&y}, {condition});
  return y;
}

Tensor cast(const Tensor& x, rgm_dtype dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y = empty_like(x.view(), dtype);
  kernel::copy(x.view(), y.view());
  if (is_float(dtype) && would_record({&x})) record("cast", gradients::cast, {&x}, {&y}, {});
  return y;
}

Tensor dropout(const Tensor& input, double p) {
  require(p >= 0 && p < 1, "dropout: a probability of {} is not in [0, 1)", p);
  if (p == 0 || !recording()) return input;
  const Tensor x = as_float(input), u = random(x.shape(), RGM_UNIFORM);
  const Tensor kept = binary(RGM_LESS_EQUAL, full({}, p), u);
  Tensor y = empty(x.shape());
  const Tensor zero = full({}, 0);
  kernel::select(kept.view(), x.view(), broadcast_to(zero.view(), x.shape()), y.view());
  y = scaled(std::move(y), 1 / (1 - p));
  if (would_record({&x})) record("dropout", gradients::dropout, {&x}, {&y}, {kept}, {.f = {1 / (1 - p)}});
  return y;
}

}  // namespace ops
}  // namespace rgm
