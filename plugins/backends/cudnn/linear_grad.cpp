// linear_grad.cpp - the gradient of a linear layer: two products, where that of x takes the slope of GELU along, and
// the sum of dy's rows in the pass that rounds dy to what the products read.
#include "kernels.hpp"
#include "products.hpp"

namespace regimen::cudnn {
namespace {

rgm_view transposed(rgm_view v) {
  std::swap(v.shape[0], v.shape[1]);
  std::swap(v.stride[0], v.stride[1]);
  return v;
}
bool is_aligned(const rgm_view& v) { return reinterpret_cast<uintptr_t>(v.data) % 16 == 0; }

// In rows of a multiple of 16 bytes, as what is part of a product has to be.
bool in_pieces(const rgm_view& v) {
  return v.dtype == RGM_BF16 && has_rows(v) && is_aligned(v) && v.shape[1] % 8 == 0 && v.stride[0] % 8 == 0;
}

void require_shapes(const rgm_linear_grad& a) {
  const auto is = [](const rgm_view* v, int64_t rows, int64_t columns) {
    return v->rank == 2 && v->shape[0] == rows && v->shape[1] == columns;
  };
  require(a.dy->rank == 2 && (!a.dw || a.x) && (!a.dx || a.weight),
          "linear_grad: dy is (M, out); dw needs x, dx weight");
  const int64_t M = a.dy->shape[0], out = a.dy->shape[1];
  require(!a.db || (a.db->rank == 1 && a.db->shape[0] == out), "linear_grad: db is (out)");
  if (a.dw)
    require(is(a.x, M, a.x->shape[1]) && is(a.dw, out, a.x->shape[1]), "linear_grad: x is (M, in), dw (out, in)");
  if (a.dx)
    require(is(a.weight, out, a.weight->shape[1]) && is(a.dx, M, a.weight->shape[1]),
            "linear_grad: weight is (out, in), dx (M, in)");
  if (a.dx && a.features & RGM_LINEAR_GRAD_ACTIVATION) {
    require(is(a.aux, M, a.weight->shape[1]), "linear_grad: aux is (M, in)");
    require(!(a.features & RGM_LINEAR_GRAD_ADD_DX), "linear_grad: ACTIVATION and ADD_DX do not go together");
    require_unary(a.activation, "linear_grad");
  }
}

// The dtype of the products.
rgm_dtype products_of(const rgm_linear_grad& a) {
  const rgm_dtype dtype = a.dw ? a.x->dtype : a.dx ? a.weight->dtype : a.dy->dtype;
  const auto fits = [&](const rgm_view* v) { return !v || v->dtype == RGM_F32 || v->dtype == dtype; };
  if ((dtype != RGM_F32 && dtype != RGM_BF16) || (a.dw && a.dx && a.weight->dtype != dtype) || !fits(a.dy) ||
      !fits(a.dx) || (a.dx && a.features & RGM_LINEAR_GRAD_ACTIVATION && !fits(a.aux)))
    unsupported("linear_grad: x and weight in float32 or bfloat16");
  for (const rgm_view* v : {a.dw, a.db})
    if (v && v->dtype != RGM_F32) unsupported("linear_grad: gradients of weights in float32");
  return dtype;
}

// dx = (dy weight) activation'(aux)
void through_activation(rgm_queue* q, const rgm_linear_grad& a, const rgm_view& dy) {
  if (a.activation == RGM_GELU_TANH && in_pieces(dy) && in_pieces(*a.weight) && in_pieces(*a.aux) && in_pieces(*a.dx) &&
      a.aux->stride[0] == a.dx->stride[0]) {
    Product p;
    p.M = dy.shape[0], p.N = a.dx->shape[1], p.K = dy.shape[1];
    p.a = matrix_of(dy), p.b = matrix_of(*a.weight), p.y = matrix_of(*a.dx);
    p.gelu_grad = true;
    p.aux = a.aux->data;
    if (try_multiply(q, p)) return;
  }
  check(matmul(q, 1, &dy, a.weight, 0, a.dx));
  check(unary_grad(q, a.activation, a.aux, a.dx, a.dx));
}

}  // namespace

rgm_status linear_grad(rgm_queue* q, const rgm_linear_grad* args) {
  return kernel(q, "linear_grad", [&] {
    const rgm_linear_grad& a = *args;
    accept_features(
        a.features,
        RGM_LINEAR_GRAD_ADD_DX | RGM_LINEAR_GRAD_ADD_DW | RGM_LINEAR_GRAD_ADD_DB | RGM_LINEAR_GRAD_ACTIVATION,
        "linear_grad");
    require_shapes(a);
    const rgm_dtype dtype = products_of(a);
    if (count(*a.dy) == 0 || (a.dw && count(*a.dw) == 0) || (a.dx && count(*a.dx) == 0))
      unsupported("linear_grad: nothing to multiply");

    rgm_view dy = *a.dy;
    if (dy.dtype != dtype && (a.dw || a.dx)) {
      dy.dtype = dtype;
      dy.stride[0] = dy.shape[1], dy.stride[1] = 1;
      dy.data = q->scratch.bytes(Scratch::kRounded, static_cast<size_t>(count(dy)) * size_of(dtype));
    }
    const rgm_view* const rounded = dy.data == a.dy->data ? nullptr : &dy;
    if (a.db)
      sum_of_rows(q, *a.dy, rounded, *a.db, a.features & RGM_LINEAR_GRAD_ADD_DB);
    else if (rounded)
      check(copy(q, a.dy, rounded));
    if (a.dw) {
      const rgm_view turned = transposed(dy);
      check(matmul(q, 1, &turned, a.x, a.features & RGM_LINEAR_GRAD_ADD_DW ? 1 : 0, a.dw));
    }
    if (!a.dx) return;
    if (a.features & RGM_LINEAR_GRAD_ACTIVATION) return through_activation(q, a, dy);
    check(matmul(q, 1, &dy, a.weight, a.features & RGM_LINEAR_GRAD_ADD_DX ? 1 : 0, a.dx));
  });
}

}  // namespace regimen::cudnn
