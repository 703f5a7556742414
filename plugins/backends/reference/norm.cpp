// norm.cpp - layer norm (Ba et al. 2016) and RMS norm (Zhang and Sennrich 2019), and their gradient.
// y (M, C) = (x - mean) rstd w + b, rstd = 1 / sqrt(mean of (x - mean)^2 + epsilon), mean 0 for RMS.
#include "kernels.hpp"
#include "numbers.hpp"

namespace regimen::reference {
namespace {

constexpr uint32_t known = RGM_NORM_MEAN | RGM_NORM_BIAS | RGM_NORM_RESIDUAL;

std::vector<double> vector_of(const rgm_view& v) {
  std::vector<double> out(static_cast<size_t>(v.shape[0]));
  load(v, 0, v.shape[0], v.stride[0], out.data());
  return out;
}
void load_row(const rgm_view& v, int64_t row, std::vector<double>& out) {
  load(v, row * v.stride[0], v.shape[1], v.stride[1], out.data());
}
void store_row(const rgm_view& v, int64_t row, const std::vector<double>& in) {
  store(v, row * v.stride[0], v.shape[1], v.stride[1], in.data());
}
void add_to(const rgm_view& v, const std::vector<double>& sums) {
  for (int64_t i = 0; i < v.shape[0]; ++i)
    put(v, i * v.stride[0], get(v, i * v.stride[0]) + sums[static_cast<size_t>(i)]);
}

}  // namespace

rgm_status norm(rgm_queue*, const rgm_norm* args) {
  return guard([&] {
    const rgm_norm& a = *args;
    accept_features(a.features, known, "norm");
    require(a.x->rank == 2 && same_shape(*a.x, *a.y), "norm: x and y are (M, C)");
    const int64_t M = a.x->shape[0], C = a.x->shape[1];
    require_shape(*a.w, {C}, "norm: w is (C)");
    const bool has_bias = a.features & RGM_NORM_BIAS;
    const std::vector<double> w = vector_of(*a.w),
                              b = has_bias ? vector_of(*a.b) : std::vector<double>(static_cast<size_t>(C));
    std::vector<double> x(static_cast<size_t>(C)), residual(x);
    for (int64_t row = 0; row < M; ++row) {
      load_row(*a.x, row, x);
      if (a.features & RGM_NORM_RESIDUAL) {
        load_row(*a.residual, row, residual);
        for (size_t c = 0; c < x.size(); ++c) x[c] += residual[c];
        store_row(*a.x, row, x);
        load_row(*a.x, row, x);  // as the gradient will read it
      }
      double mean = 0, variance = 0;
      if (a.features & RGM_NORM_MEAN) {
        for (double v : x) mean += v;
        mean /= static_cast<double>(C);
      }
      for (double v : x) variance += (v - mean) * (v - mean);
      const double rstd = 1 / std::sqrt(variance / static_cast<double>(C) + a.epsilon);
      for (size_t c = 0; c < x.size(); ++c) x[c] = (x[c] - mean) * rstd * w[c] + b[c];
      store_row(*a.y, row, x);
      if (a.mean && a.features & RGM_NORM_MEAN) put(*a.mean, row * a.mean->stride[0], mean);
      if (a.rstd) put(*a.rstd, row * a.rstd->stride[0], rstd);
    }
  });
}

// With n = (x - mean) rstd and g = dy w: dx = rstd (g - n mean(g n) [- mean(g)]), dw += dy n, db += dy. x is as the
// forward pass left it, so RESIDUAL changes nothing: dx is the gradient of both addends.
rgm_status norm_grad(rgm_queue*, const rgm_norm* args) {
  return guard([&] {
    const rgm_norm& a = *args;
    accept_features(a.features, known | RGM_NORM_ADD, "norm_grad");
    require(a.x->rank == 2 && same_shape(*a.x, *a.dy) && same_shape(*a.x, *a.dx), "norm_grad: x, dy, dx are (M, C)");
    const int64_t M = a.x->shape[0], C = a.x->shape[1];
    require_shape(*a.w, {C}, "norm_grad: w is (C)");
    const bool centred = a.features & RGM_NORM_MEAN;
    const std::vector<double> w = vector_of(*a.w);
    std::vector<double> x(static_cast<size_t>(C)), dy(x), dw(x), db(x);
    for (int64_t row = 0; row < M; ++row) {
      load_row(*a.x, row, x);
      load_row(*a.dy, row, dy);
      const double mean = centred ? get(*a.mean, row * a.mean->stride[0]) : 0;
      const double rstd = get(*a.rstd, row * a.rstd->stride[0]);
      double mean_g = 0, mean_gn = 0;
      for (size_t c = 0; c < x.size(); ++c) {
        x[c] = (x[c] - mean) * rstd;
        dw[c] += dy[c] * x[c];
        db[c] += dy[c];
        dy[c] *= w[c];
        mean_g += dy[c] / static_cast<double>(C);
        mean_gn += dy[c] * x[c] / static_cast<double>(C);
      }
      if (!centred) mean_g = 0;
      for (size_t c = 0; c < x.size(); ++c) dy[c] = rstd * (dy[c] - mean_g - x[c] * mean_gn);
      if (a.features & RGM_NORM_ADD) {
        load_row(*a.dx, row, x);
        for (size_t c = 0; c < x.size(); ++c) dy[c] += x[c];
      }
      store_row(*a.dx, row, dy);
    }
    if (a.dw) add_to(*a.dw, dw);
    if (a.db && a.features & RGM_NORM_BIAS) add_to(*a.db, db);
  });
}

}  // namespace regimen::reference
