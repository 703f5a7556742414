// cases_optimizer.cpp - adamw over several parameters, sum_of_squares over several tensors.
#include <cmath>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

// Every seventh element is 0: a parameter that never had a gradient moves by nothing, where 0 / 0 would be NaN.
Trial::Fill some_zero(const Trial::Fill& fill) {
  return [fill, at = 0]() mutable { return at++ % 7 == 3 ? 0.0 : fill(); };
}

void adamw(Trial& t) {
  struct Item {
    Arg g, p, m, v, copy, draw;
  };
  const bool narrow = t.index % 3 == 2, must_refuse = t.index < 2, is_taken = t.index % 4 != 3;
  const double step = static_cast<double>(t.pick(1, 50));
  const double epsilon = t.index / 2 % 2 ? 0.1 : 1e-8;  // one that counts beside deviations of 0.1 to 1
  const double values[8] = {
      1e-2, 0.9, 0.95, epsilon, 0.1, 1 - std::pow(0.9, step), 1 - std::pow(0.95, step), is_taken ? 0.5 : NAN};
  int at = 0;
  const Arg hyper = t.dense({8}, [&] { return values[at++]; });
  std::vector<Item> items;
  for (int64_t n = t.pick(1, 4); n > 0; --n) {
    const Shape shape = t.shape(1, 2);
    const rgm_dtype moments = narrow ? RGM_BF16 : RGM_F32;
    const Arg g = t.in(shape, some_zero(t.normals())), p = t.inout(shape, t.normals());
    const Arg m = t.inout(shape, some_zero(t.normals()), moments);
    const Arg v = t.inout(shape, some_zero(t.uniforms(0.01, 1)), moments);
    items.push_back({g, p, m, v, is_taken && t.chance(0.3) ? t.out(shape, RGM_BF16) : no_arg,
                     narrow ? t.dense({}, t.integers(INT32_MIN, INT32_MAX), RGM_I32) : no_arg});
  }
  t.optional = narrow;
  t.must_refuse = must_refuse;
  t.run(&rgm_kernels::adamw, [=](auto f, rgm_queue* q, const Views& view) {
    std::vector<rgm_adamw> args;
    std::vector<const rgm_adamw*> pointers;
    args.reserve(items.size());
    pointers.reserve(items.size());
    for (const Item& i : items)
      args.push_back({sizeof(rgm_adamw),
                      must_refuse ? 1u << 31
                      : narrow    ? uint32_t{RGM_ADAMW_NARROW}
                                  : 0,
                      view(i.g), view(i.p), view(i.m), view(i.v), view(i.copy), view(i.draw)});
    for (const rgm_adamw& a : args) pointers.push_back(&a);
    return f(q, view(hyper), static_cast<uint32_t>(pointers.size()), pointers.data());
  });
}

// In the last case 4096, whose square is 2^24, comes before so many ones that it shows when float32 takes none of them
// in, also where sixteen sums run side by side.
constexpr int usual_cases = 24, long_cases = 1;

void sum_of_squares(Trial& t) {
  std::vector<Arg> xs;
  if (t.index >= usual_cases && t.index < usual_cases + long_cases)
    xs.push_back(t.dense({100'000}, [at = 0]() mutable { return at++ < 16 ? 4096 : 1; }));
  else
    for (int64_t n = t.pick(t.index % 5 == 0 ? 0 : 1, 5); n > 0; --n) xs.push_back(t.in(t.shape(0, 3), t.normals()));
  const Arg y = t.out({});
  t.run(&rgm_kernels::sum_of_squares, [=](auto f, rgm_queue* q, const Views& v) {
    std::vector<const rgm_view*> pointers;
    pointers.reserve(xs.size());
    for (Arg x : xs) pointers.push_back(v(x));
    return f(q, static_cast<uint32_t>(pointers.size()), pointers.data(), v(y));
  });
}

}  // namespace

Kernels optimizer_cases() {
  return {{"adamw", false, 24, adamw}, {"sum_of_squares", false, usual_cases + long_cases, sum_of_squares}};
}

}  // namespace rgm::conformance
