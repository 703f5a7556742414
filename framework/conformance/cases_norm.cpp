// cases_norm.cpp - norm, norm_grad, rope.
#include <fmt/format.h>

#include "cases.hpp"

namespace rgm::conformance {
namespace {

struct NormArgs {
  uint32_t features = 0;
  double epsilon = 0;
  Arg x = no_arg, residual = no_arg, w = no_arg, b = no_arg, y = no_arg, mean = no_arg, rstd = no_arg;
  Arg dy = no_arg, dx = no_arg, dw = no_arg, db = no_arg;

  rgm_norm of(const Views& v) const {
    return {sizeof(rgm_norm), features, epsilon, v(x),  v(residual), v(w), v(b), v(y),
            v(mean),          v(rstd),  v(dy),   v(dx), v(dw),       v(db)};
  }
};

// The last cases are of models' widths, dense, and what goes in and what comes out may be of different dtypes.
constexpr int cases = 32, wide_cases = 16;
bool is_wide(Trial& t) { return t.all_dense = t.index >= cases && t.index < cases + wide_cases; }
int64_t wide(Trial& t) { return t.one_of({256, 768, 1022, 2048, 2052, 4096, 6000, 6144, 8192, 9000}); }

void norm(Trial& t) {
  NormArgs a;
  a.features = t.features({RGM_NORM_MEAN, RGM_NORM_BIAS, RGM_NORM_RESIDUAL});
  a.epsilon = t.one_of({1e-5, 1e-6});
  const bool widely = is_wide(t);
  const int64_t M = widely ? t.pick(1, 12) : t.size(), C = widely ? wide(t) : t.large();
  const rgm_dtype dtype = widely ? t.one_of({RGM_F32, RGM_BF16}) : t.one_of({RGM_F32, RGM_F32, RGM_F32, RGM_BF16});
  const rgm_dtype out = widely ? t.one_of({RGM_F32, RGM_BF16}) : dtype;
  const bool residual = a.features & RGM_NORM_RESIDUAL;
  // Away from 0, so that a mean that is not taken away shows; now and then so small that an epsilon does.
  const double size = t.index / 2 % 4 == 3 ? 1e-3 : 1;
  const Trial::Fill values = [&t, size] { return size * (3 + t.normal()); };
  a.x = residual ? t.inout({M, C}, values, dtype) : t.in({M, C}, values, dtype);
  const Trial::Fill beside = [&t, size] { return size * t.normal(); };
  if (residual) a.residual = t.in({M, C}, beside, dtype);
  a.w = t.in({C}, t.normals());
  if (a.features & RGM_NORM_BIAS) a.b = t.in({C}, t.normals());
  a.y = t.out({M, C}, out);
  if (a.features & RGM_NORM_MEAN) a.mean = t.out({M});
  a.rstd = t.out({M});
  t.run(&rgm_kernels::norm, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_norm args = a.of(v);
    return f(q, &args);
  });
}

void norm_grad(Trial& t) {
  NormArgs a;
  a.features = t.features({RGM_NORM_MEAN, RGM_NORM_BIAS});
  const bool adds = t.chance(0.3);
  a.epsilon = 1e-5;
  const bool widely = is_wide(t);
  const int64_t M = widely ? t.pick(1, 12) : t.size(),
                C = widely ? wide(t) : t.one_of({2, 3, 16, 31, 64, 65, 128});  // one channel has no variance
  const rgm_dtype dtype = widely ? t.one_of({RGM_F32, RGM_BF16}) : RGM_F32,
                  of_dy = widely ? t.one_of({RGM_F32, RGM_BF16}) : RGM_F32;
  a.x = t.in(
      {M, C}, [&t] { return 3 + t.normal(); }, dtype);
  a.w = t.in({C}, t.normals());
  if (a.features & RGM_NORM_BIAS) {
    a.b = t.in({C}, t.normals());
    a.db = t.inout({C}, t.normals());
  }
  if (a.features & RGM_NORM_MEAN) a.mean = t.prepared({M});
  a.rstd = t.prepared({M});
  a.y = t.prepared({M, C}, of_dy);
  a.dy = t.in({M, C}, t.normals(), of_dy);
  a.dx = adds ? t.inout({M, C}, t.normals(), dtype) : t.out({M, C}, dtype);
  a.dw = t.inout({C}, t.normals());
  t.prepare([=](const rgm_kernels& k, rgm_queue* q, const Views& v) {
    const rgm_norm args = a.of(v);
    return k.norm(q, &args);
  });
  if (adds) a.features |= RGM_NORM_ADD;
  t.run(&rgm_kernels::norm_grad, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_norm args = a.of(v);
    return f(q, &args);
  });
}

template <auto field>
void norm_of_the_future(Trial& t) {
  NormArgs a;
  a.features = 1u << 31;
  a.epsilon = 1e-5;
  a.x = t.in({2, 8}, t.normals()), a.w = t.in({8}, t.normals()), a.rstd = t.out({2}), a.mean = t.out({2});
  a.y = t.out({2, 8}), a.dy = t.in({2, 8}, t.normals()), a.dx = t.out({2, 8}), a.dw = t.out({8});
  t.must_refuse = true;
  t.run(field, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_norm args = a.of(v);
    return f(q, &args);
  });
}

// In the last cases one position is not in the table.
constexpr int rope_cases = 24, outside_cases = 2;

void rope(Trial& t) {
  const int64_t B = t.pick(1, 3), T = t.size(), H = t.pick(1, 4), D = t.one_of({2, 6, 8, 32, 64, 65});
  const int64_t half = t.chance(0.5) ? D / 2 : t.pick(1, D / 2), context = T + t.pick(0, 9);
  const rgm_dtype dtype = t.one_of({RGM_F32, RGM_F32, RGM_F32, RGM_BF16});
  const bool in_place = t.chance(0.3);
  const Arg x = in_place ? t.inout({B, T, H, D}, t.normals(), dtype) : t.in({B, T, H, D}, t.normals(), dtype);
  t.is_outside = t.index >= rope_cases && t.index < rope_cases + outside_cases;
  const double wrong = t.index % 2 ? -1 : static_cast<double>(context);
  const Trial::Fill places = t.integers(0, context - 1);
  const Trial::Fill one_outside = [places, wrong, at = 0]() mutable { return at++ == 0 ? wrong : places(); };
  const Arg positions = t.is_outside ? t.dense({B, T}, one_outside, RGM_I32) : t.in({B, T}, places, RGM_I32);
  const Arg cos = t.in({context, half}, t.uniforms(-1, 1)), sin = t.in({context, half}, t.uniforms(-1, 1));
  const Arg y = in_place ? x : t.out({B, T, H, D}, dtype);
  t.must_refuse = t.index < 2;
  const uint32_t features = t.must_refuse ? 1u << 31 : 0;
  t.run(&rgm_kernels::rope, [=](auto f, rgm_queue* q, const Views& v) {
    const rgm_rope args{sizeof(rgm_rope), features, v(x), v(positions), v(cos), v(sin), v(y)};
    return f(q, &args);
  });
}

}  // namespace

Kernels norm_cases() {
  return {{"norm", false, cases + wide_cases,
           [](Trial& t) { t.index < 2 ? norm_of_the_future<&rgm_kernels::norm>(t) : norm(t); }},
          {"norm_grad", false, cases + wide_cases,
           [](Trial& t) { t.index < 2 ? norm_of_the_future<&rgm_kernels::norm_grad>(t) : norm_grad(t); }},
          {"rope", false, rope_cases + outside_cases, rope}};
}

}  // namespace rgm::conformance
