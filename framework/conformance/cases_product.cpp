// cases_product.cpp - matmul and linear.
#include <fmt/format.h>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

void matmul(Trial& t) {
  // Each size is 0 now and then: a sum of no terms is 0.
  const int none = t.index % 12;
  const int64_t M = none == 9 ? 0 : t.large(), K = none == 10 ? 0 : t.large(), N = none == 11 ? 0 : t.large();
  Shape a{M, K}, b{K, N}, y{M, N};
  for (int64_t batches = t.pick(0, 2); batches > 0; --batches) {
    const int64_t n = t.one_of({1, 2, 3});
    for (Shape* s : {&a, &b, &y}) s->insert(s->begin(), n);
  }
  const bool halves = t.index % 4 >= 2;
  const double alpha = t.one_of({1.0, 1.0, 0.125, -2.0}), beta = t.one_of({0, 1});
  t.say(fmt::format("alpha {} beta {}", alpha, beta));
  const Arg left = t.in(a, t.normals(), halves ? RGM_BF16 : RGM_F32);
  const Arg right = t.in(b, t.normals(), halves ? RGM_BF16 : RGM_F32);
  const Arg sum = beta != 0 ? t.inout(y, t.normals()) : t.out(y);
  t.run(&rgm_kernels::matmul,
        [=](auto f, rgm_queue* q, const Views& v) { return f(q, alpha, v(left), v(right), beta, v(sum)); });
}

void linear(Trial& t) {
  const uint32_t features =
      t.features({RGM_LINEAR_BIAS, RGM_LINEAR_RESIDUAL, RGM_LINEAR_ACTIVATION, RGM_LINEAR_AUX, RGM_LINEAR_ADD});
  const int64_t M = t.large(), in = t.large(), out = t.large();
  const rgm_dtype dtype = t.one_of({RGM_F32, RGM_F32, RGM_BF16});
  const int32_t activation = t.one_of({RGM_GELU_TANH, RGM_GELU_ERF, RGM_SILU, RGM_RELU, RGM_TANH});
  const auto optional = [&](uint32_t bit, const Shape& shape) {
    return features & bit ? t.in(shape, t.normals()) : no_arg;
  };
  const Arg x = t.in({M, in}, t.normals(), dtype), weight = t.in({out, in}, t.normals(), dtype);
  const Arg bias = optional(RGM_LINEAR_BIAS, {out}), residual = optional(RGM_LINEAR_RESIDUAL, {M, out});
  const Arg aux = features & RGM_LINEAR_AUX ? t.out({M, out}) : no_arg;
  const Arg y = features & RGM_LINEAR_ADD ? t.inout({M, out}, t.normals()) : t.out({M, out});
  t.run(&rgm_kernels::linear, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_linear args{sizeof(rgm_linear), features, activation, 0, v(x), v(weight), nullptr, v(bias),
                          v(residual),        v(aux),   v(y)};
    return f(q, &args);
  });
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

}  // namespace

Kernels product_cases() {
  return {{"matmul", true, 48, matmul},
          {"linear", false, 48, [](Trial& t) { t.index < 2 ? linear_of_the_future(t) : linear(t); }}};
}

}  // namespace rgm::conformance
