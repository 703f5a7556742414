// norm.cpp - layer norm and root-mean-square norm, and rope: rows shared out to the threads. Gradients of the weights
// are summed a thread, then over the threads in their order.
#include "kernels.hpp"

namespace regimen::onednn {
namespace {
constexpr uint32_t kFeatures = RGM_NORM_MEAN | RGM_NORM_BIAS | RGM_NORM_RESIDUAL;

bool has(const rgm_norm& a, uint32_t feature) { return (a.features & feature) != 0; }

// A vector without gaps, of n float32; NULL for NULL.
float* flat(const rgm_view* v, int64_t n, const char* what) {
  if (!v || !v->data) return nullptr;
  if (v->dtype != RGM_F32 || !is_contiguous(*v) || count(*v) != n) unsupported(what);
  return data<float>(*v);
}

NormRows common(const rgm_norm& a, const Matrix& x) {
  NormRows r{};
  r.rows = x.rows, r.C = x.columns;
  r.epsilon = static_cast<float>(a.epsilon);
  r.centred = has(a, RGM_NORM_MEAN);
  r.x = x.row(0), r.x_stride = x.stride;
  r.w = flat(a.w, r.C, "onednn: norm weight");
  r.mean = r.centred ? flat(a.mean, r.rows, "onednn: norm mean") : nullptr;
  r.rstd = flat(a.rstd, r.rows, "onednn: norm rstd");
  return r;
}

NormRows piece(NormRows r, int64_t begin, int64_t end) {
  r.rows = end - begin;
  r.x += begin * r.x_stride;
  if (r.residual) r.residual += begin * r.residual_stride;
  if (r.y) r.y += begin * r.y_stride;
  if (r.dy) r.dy += begin * r.dy_stride;
  if (r.dx) r.dx += begin * r.dx_stride;
  if (r.mean) r.mean += begin;
  if (r.rstd) r.rstd += begin;
  return r;
}
}  // namespace

rgm_status norm(rgm_queue* q, const rgm_norm* args) {
  return kernel(q, [&] {
    const rgm_norm& a = *args;
    accept_features(a.features, kFeatures, "norm");
    const Matrix x = matrix(a.x, "norm"), y = matrix(a.y, "norm");
    require(x.rows == y.rows && x.columns == y.columns, "norm: x and y differ in shape");
    NormRows r = common(a, x);
    r.y = y.row(0), r.y_stride = y.stride;
    if (has(a, RGM_NORM_BIAS)) r.b = flat(a.b, r.C, "onednn: norm bias");
    if (has(a, RGM_NORM_RESIDUAL)) {
      const Matrix residual = matrix(a.residual, "norm");
      require(residual.rows == x.rows && residual.columns == x.columns, "norm: residual and x differ in shape");
      r.residual = residual.row(0), r.residual_stride = residual.stride;
    }
    parallel(threads(q), r.rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(r.C, 1)),
             [&](int64_t begin, int64_t end, int) { vector(q).norm(piece(r, begin, end)); });
  });
}

rgm_status norm_grad(rgm_queue* q, const rgm_norm* args) {
  return kernel(q, [&] {
    const rgm_norm& a = *args;
    accept_features(a.features, kFeatures | RGM_NORM_ADD, "norm_grad");
    const Matrix x = matrix(a.x, "norm_grad"), dy = matrix(a.dy, "norm_grad");
    require(x.rows == dy.rows && x.columns == dy.columns, "norm_grad: x and dy differ in shape");
    NormRows r = common(a, x);
    require(r.rstd && (!r.centred || r.mean), "norm_grad: mean and rstd are needed");
    r.dy = dy.row(0), r.dy_stride = dy.stride;
    if (a.dx && a.dx->data) {
      const Matrix dx = matrix(a.dx, "norm_grad");
      r.dx = dx.row(0), r.dx_stride = dx.stride, r.adds = has(a, RGM_NORM_ADD);
    }
    float* dw = flat(a.dw, r.C, "onednn: norm_grad dw");
    float* db = has(a, RGM_NORM_BIAS) ? flat(a.db, r.C, "onednn: norm_grad db") : nullptr;
    const VectorKernels& v = vector(q);
    const int64_t C = r.C, team = threads(q);
    // A thread's sums of dw and db, and those of a chain of its rows.
    const int64_t pair = 2 * C;
    float* sums = q->scratch.floats(Scratch::kPartials, 2 * team * pair);
    std::fill_n(sums, 2 * team * pair, 0.0f);
    parallel(threads(q), r.rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(C, 1)),
             [&](int64_t begin, int64_t end, int thread) {
               float *const sum = sums + 2 * thread * pair, *const chain = sum + pair;
               for (int64_t first = begin; first < end; first += kChain) {
                 NormRows mine = piece(r, first, std::min(first + kChain, end));
                 mine.dw = dw ? chain : nullptr;
                 mine.db = db ? chain + C : nullptr;
                 v.norm_grad(mine);
                 v.binary(RGM_ADD, sum, 1, chain, 1, sum, pair);
                 std::fill_n(chain, pair, 0.0f);
               }
             });
    for (int64_t i = 0; i < team; ++i) {
      const float* sum = sums + 2 * i * pair;
      if (dw) v.binary(RGM_ADD, dw, 1, sum, 1, dw, C);
      if (db) v.binary(RGM_ADD, db, 1, sum + C, 1, db, C);
    }
  });
}

rgm_status rope(rgm_queue* q, const rgm_rope* args) {
  return kernel(q, [&] {
    const rgm_rope& a = *args;
    accept_features(a.features, 0, "rope");
    const rgm_view &x = *a.x, &y = *a.y, &p = *a.positions;
    require(x.rank == 4 && same_shape(x, y) && p.rank == 2, "rope: x is (B, T, H, D), positions are (B, T)");
    const Matrix cos = matrix(a.cos, "rope"), sin = matrix(a.sin, "rope");
    const int64_t T = x.shape[1], H = x.shape[2], D = x.shape[3], half = cos.columns;
    if (x.dtype != RGM_F32 || y.dtype != RGM_F32 || p.dtype != RGM_I32 || x.stride[3] != 1 || y.stride[3] != 1)
      unsupported("onednn: rope wants float32 heads without gaps");
    require(2 * half <= D && sin.columns == half && sin.rows == cos.rows, "rope: cos and sin do not fit");
    const auto position = [&](int64_t b, int64_t t) { return data<int32_t>(p)[b * p.stride[0] + t * p.stride[1]]; };
    for (int64_t b = 0; b < x.shape[0]; ++b)
      for (int64_t t = 0; t < T; ++t)
        require(position(b, t) >= 0 && position(b, t) < cos.rows, "rope: a position is outside of the table");
    parallel(threads(q), x.shape[0] * T, std::max<int64_t>(1, kGrain / std::max<int64_t>(H * D, 1)),
             [&](int64_t begin, int64_t end, int) {
               for (int64_t i = begin; i < end; ++i) {
                 const int64_t b = i / T, t = i % T, at = position(b, t);
                 for (int64_t h = 0; h < H; ++h) {
                   const float* from = data<float>(x) + b * x.stride[0] + t * x.stride[1] + h * x.stride[2];
                   float* to = data<float>(y) + b * y.stride[0] + t * y.stride[1] + h * y.stride[2];
                   vector(q).rope(from, cos.row(at), sin.row(at), to, half);
                   if (from != to) std::copy_n(from + 2 * half, D - 2 * half, to + 2 * half);
                 }
               }
             });
  });
}

}  // namespace regimen::onednn
