// cases_product.cpp - matmul and linear.
#include <fmt/format.h>

#include <utility>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

rgm_view transposed(rgm_view v) {
  std::swap(v.shape[v.rank - 1], v.shape[v.rank - 2]);
  std::swap(v.stride[v.rank - 1], v.stride[v.rank - 2]);
  return v;
}

void matmul(Trial& t) {
  // Each size is 0 now and then: a sum of no terms is 0.
  const int none = t.index % 12;
  const bool team = t.index % 8 == 5;                     // many small products at once, which threads may share out
  const bool few = t.index % 8 == 1 || t.index % 8 == 6;  // rows beside a large matrix, as in decoding
  const int64_t M = none == 9 ? 0
                    : team    ? 64
                    : few     ? t.pick(1, 50)
                              : t.large(),
                K = none == 10 ? 0
                    : team     ? 64
                    : few      ? t.one_of({96, 200, 515})
                               : t.large(),
                N = none == 11 ? 0
                    : team     ? 64
                    : few      ? t.one_of({131, 384, 1000})
                               : t.large();
  // A factor may come transposed, as a weight does forward and a gradient's input backward.
  const bool ta = !few && t.chance(0.3), tb = team || t.chance(few ? 0.5 : 0.3);
  Shape a{ta ? K : M, ta ? M : K}, b{tb ? N : K, tb ? K : N}, y{M, N};
  for (int64_t batches = team ? 1 : few ? 0 : t.pick(0, 2); batches > 0; --batches) {
    const int64_t n = team ? 8 : t.one_of({1, 2, 3});
    for (Shape* s : {&a, &b, &y}) s->insert(s->begin(), n);
  }
  const bool halves = t.index % 4 >= 2;
  const double alpha = team || few ? 1 : t.one_of({1.0, 1.0, 0.125, -2.0}), beta = team || few ? 0 : t.one_of({0, 1});
  t.say(fmt::format("alpha {} beta {}{}{}", alpha, beta, ta ? " a transposed" : "", tb ? " b transposed" : ""));
  const rgm_dtype dtype = halves ? RGM_BF16 : RGM_F32;
  const Arg left = t.in(a, t.normals(), t.beside(dtype)), right = t.in(b, t.normals(), dtype);
  const Arg sum = beta != 0 ? t.inout(y, t.normals()) : t.out(y);
  t.run(&rgm_kernels::matmul, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_view l = ta ? transposed(*v(left)) : *v(left), r = tb ? transposed(*v(right)) : *v(right);
    return f(q, alpha, &l, &r, beta, v(sum));
  });
}

// The last cases are what training in bfloat16 asks for: dense, of whole 16 bytes, with results in bfloat16.
constexpr int cases = 48, training_cases = 16;
bool trains_in_bfloat16(Trial& t) { return t.all_dense = t.index >= cases && t.index < cases + training_cases; }

void linear(Trial& t) {
  const bool trains = trains_in_bfloat16(t);
  const uint32_t features =
      trains
          ? t.features({RGM_LINEAR_BIAS, RGM_LINEAR_ACTIVATION, RGM_LINEAR_AUX})
          : t.features({RGM_LINEAR_BIAS, RGM_LINEAR_RESIDUAL, RGM_LINEAR_ACTIVATION, RGM_LINEAR_AUX, RGM_LINEAR_ADD});
  const int64_t whole = trains ? 8 : 1, M = t.large(), in = whole * t.large(), out = whole * t.large();
  const rgm_dtype dtype = trains ? RGM_BF16 : t.one_of({RGM_F32, RGM_F32, RGM_BF16}), of_y = trains ? dtype : RGM_F32;
  const int32_t activation = t.one_of({RGM_GELU_TANH, RGM_GELU_ERF, RGM_SILU, RGM_RELU, RGM_TANH});
  const auto optional = [&](uint32_t bit, const Shape& shape) {
    return features & bit ? t.in(shape, t.normals()) : no_arg;
  };
  const Arg x = t.in({M, in}, t.normals(), trains ? dtype : t.beside(dtype)),
            weight = t.in({out, in}, t.normals(), dtype);
  const Arg bias = optional(RGM_LINEAR_BIAS, {out});
  // The result may take the place of the residual.
  const bool in_place = features & RGM_LINEAR_RESIDUAL && !(features & RGM_LINEAR_ADD) && t.chance(0.4);
  const Arg aux = features & RGM_LINEAR_AUX ? t.out({M, out}, of_y) : no_arg;
  const Arg y = features & RGM_LINEAR_ADD || in_place ? t.inout({M, out}, t.normals(), of_y) : t.out({M, out}, of_y);
  const Arg residual = in_place ? y : optional(RGM_LINEAR_RESIDUAL, {M, out});
  t.run(&rgm_kernels::linear, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_linear args{sizeof(rgm_linear), features, activation, 0,       v(x),   v(weight), nullptr, v(bias),
                          v(residual),        v(aux),   v(y),       nullptr, nullptr};
    return f(q, &args);
  });
}

// Packed and multiplied in one case; a backend that packs nothing has none. In the last cases y takes the place of x.
constexpr int packed_cases = 48, in_place_cases = 4;

void packed(Trial& t) {
  const bool in_place = t.index >= packed_cases && t.index < packed_cases + in_place_cases;
  uint32_t features =
      t.features({RGM_LINEAR_BIAS, RGM_LINEAR_RESIDUAL, RGM_LINEAR_ACTIVATION, RGM_LINEAR_AUX, RGM_LINEAR_ADD});
  if (in_place) features &= ~uint32_t{RGM_LINEAR_ADD};
  const int64_t M = in_place ? t.one_of({1, 97}) : t.one_of({1, 2, 3, 7, 12, 16, 31, 96, 97, 130}),
                in = in_place ? 256 : t.one_of({256, 515, 700}), out = in_place ? in : t.one_of({131, 384, 401, 1000});
  const auto optional = [&](uint32_t bit, const Shape& shape) {
    return features & bit ? t.in(shape, t.normals()) : no_arg;
  };
  const Arg x = in_place ? t.inout({M, in}, t.normals()) : t.in({M, in}, t.normals()),
            weight = t.in({out, in}, t.normals(), t.one_of({RGM_F32, RGM_BF16}));
  const Arg bias = optional(RGM_LINEAR_BIAS, {out}), residual = optional(RGM_LINEAR_RESIDUAL, {M, out});
  const Arg aux = features & RGM_LINEAR_AUX ? t.out({M, out}) : no_arg;
  const Arg y = in_place ? x : features & RGM_LINEAR_ADD ? t.inout({M, out}, t.normals()) : t.out({M, out});
  t.offered = [](const rgm_kernels& k) { return RGM_HAS(&k, pack) && RGM_HAS(&k, unpack) && RGM_HAS(&k, linear); };
  const auto packs = t.offered;
  t.call = [=](const rgm_kernels& k, rgm_queue* q, const Views& v) {
    rgm_linear args{sizeof(rgm_linear), features, RGM_GELU_TANH, 0,       v(x),   v(weight), nullptr, v(bias),
                    v(residual),        v(aux),   v(y),          nullptr, nullptr};
    if (!packs(k)) return k.linear(q, &args);
    rgm_packed* theirs = nullptr;
    if (const rgm_status status = k.pack(q, v(weight), nullptr, 0, &theirs); status != RGM_OK) return status;
    args.features |= RGM_LINEAR_PACKED;
    args.weight = nullptr, args.packed = theirs;
    const rgm_status status = k.linear(q, &args);
    k.unpack(theirs);
    return status;
  };
}

void linear_of_the_future(Trial& t) {
  const Arg x = t.in({2, 3}, t.normals()), weight = t.in({4, 3}, t.normals()), y = t.out({2, 4});
  t.must_refuse = true;
  t.run(&rgm_kernels::linear, [=](auto f, rgm_queue* q, const Views& v) {
    rgm_linear args{};
    args.struct_size = sizeof args;
    args.features = 1u << 31;
    args.x = v(x), args.weight = v(weight), args.y = v(y);
    return f(q, &args);
  });
}

void linear_grad(Trial& t) {
  uint32_t features =
      t.features({RGM_LINEAR_GRAD_ADD_DX, RGM_LINEAR_GRAD_ADD_DW, RGM_LINEAR_GRAD_ADD_DB, RGM_LINEAR_GRAD_ACTIVATION});
  if (features & RGM_LINEAR_GRAD_ACTIVATION) features &= ~uint32_t{RGM_LINEAR_GRAD_ADD_DX};
  const auto has = [=](uint32_t bit) { return (features & bit) != 0; };
  const bool trains = trains_in_bfloat16(t);
  const int64_t whole = trains ? 8 : 1, M = t.large(), in = whole * t.large(), out = whole * t.large();
  const rgm_dtype dtype = trains ? RGM_BF16 : t.one_of({RGM_F32, RGM_F32, RGM_BF16});
  const int32_t activation = t.one_of({RGM_GELU_TANH, RGM_GELU_TANH, RGM_SILU, RGM_RELU});
  const bool dw_only = t.chance(0.15), dx_only = !dw_only && t.chance(0.15);
  const auto result = [&](const Shape& shape, uint32_t add, rgm_dtype type) {
    return has(add) ? t.inout(shape, t.normals(), type) : t.out(shape, type);
  };
  const rgm_dtype of_dy = dtype == RGM_BF16 && t.chance(0.5) ? RGM_BF16 : RGM_F32;
  const Arg dy = t.in({M, out}, t.normals(), of_dy);
  const Arg x = dx_only ? no_arg : t.in({M, in}, t.normals(), dtype);
  const Arg weight = dw_only ? no_arg : t.in({out, in}, t.normals(), dtype);
  const Arg aux = has(RGM_LINEAR_GRAD_ACTIVATION) && !dw_only ? t.in({M, in}, t.normals(), dtype) : no_arg;
  const Arg dx = dw_only ? no_arg : result({M, in}, RGM_LINEAR_GRAD_ADD_DX, dtype);
  const Arg dw = dx_only ? no_arg : result({out, in}, RGM_LINEAR_GRAD_ADD_DW, RGM_F32);
  const Arg db = dx_only || t.chance(0.3) ? no_arg : result({out}, RGM_LINEAR_GRAD_ADD_DB, RGM_F32);
  t.must_refuse = t.index < 2;
  if (t.must_refuse) features = 1u << 31;
  t.run(&rgm_kernels::linear_grad, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_linear_grad args{
        sizeof(rgm_linear_grad), features, activation, 0, v(dy), v(x), v(weight), v(aux), v(dx), v(dw), v(db)};
    return f(q, &args);
  });
}

}  // namespace

Kernels product_cases() {
  return {
      {"matmul", true, 96, matmul},
      {"linear", false, cases + training_cases, [](Trial& t) { t.index < 2 ? linear_of_the_future(t) : linear(t); }},
      {"pack", false, packed_cases + in_place_cases, packed},
      {"linear_grad", false, cases + training_cases, linear_grad}};
}

}  // namespace rgm::conformance
