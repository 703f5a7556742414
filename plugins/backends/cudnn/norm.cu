// norm.cu - layer norm (Ba et al. 2016) and RMS norm (Zhang and Sennrich 2019), and their gradient. Statistics are
// float32. The gradients of weight and bias are summed by each block over its rows, and then over the blocks.
#include "kernels.hpp"
#include "norm.cuh"

namespace regimen::cudnn {
namespace {

constexpr uint32_t known = RGM_NORM_MEAN | RGM_NORM_BIAS | RGM_NORM_RESIDUAL;

template <class X, class Y>
__global__ void norm_kernel(Norm<X, Y> a) {
  const int64_t row = blockIdx.x;
  const auto n = static_cast<float>(a.C);
  float sum = 0;
  for (int64_t c = threadIdx.x; c < a.C; c += blockDim.x) {
    float x = to_float(a.x.at(row, c));
    if (a.residual.data) {
      a.x.at(row, c) = from_float<X>(x + to_float(a.residual.at(row, c)));
      x = to_float(a.x.at(row, c));  // as the gradient will read it
    }
    sum += x;
  }
  const float mean = a.centred ? over_block(sum, Sum{}) / n : 0;
  float squares = 0;
  for (int64_t c = threadIdx.x; c < a.C; c += blockDim.x) {
    const float x = to_float(a.x.at(row, c)) - mean;
    squares += x * x;
  }
  const float rstd = rsqrtf(over_block(squares, Sum{}) / n + a.epsilon);
  for (int64_t c = threadIdx.x; c < a.C; c += blockDim.x) {
    const float bias = a.b.data ? a.b.at(c, 0) : 0;
    a.y.at(row, c) = from_float<Y>((to_float(a.x.at(row, c)) - mean) * rstd * a.w.at(c, 0) + bias);
  }
  if (threadIdx.x != 0) return;
  if (a.mean.data) a.mean.at(row, 0) = mean;
  if (a.rstd.data) a.rstd.at(row, 0) = rstd;
}

// With n = (x - mean) rstd and g = dy w: dx = rstd (g - n mean(g n) [- mean(g)]), dw += dy n, db += dy.
template <class X, class DY>
__global__ void norm_grad_kernel(NormGrad<X, DY> a) {
  extern __shared__ float sums[];  // dw, db: each thread has its own channels
  float *dw = sums, *db = sums + a.C;
  for (int64_t c = threadIdx.x; c < a.C; c += blockDim.x) dw[c] = db[c] = 0;
  const auto n = static_cast<float>(a.C);
  for (int64_t row = blockIdx.x; row < a.M; row += gridDim.x) {
    const float mean = a.centred ? a.mean.at(row, 0) : 0, rstd = a.rstd.at(row, 0);
    float sum_g = 0, sum_gn = 0;
    for (int64_t c = threadIdx.x; c < a.C; c += blockDim.x) {
      const float normed = (to_float(a.x.at(row, c)) - mean) * rstd, dy = to_float(a.dy.at(row, c));
      const float g = dy * a.w.at(c, 0);
      sum_g += g;
      sum_gn += g * normed;
      dw[c] += dy * normed;
      db[c] += dy;
    }
    const float mean_g = a.centred ? over_block(sum_g, Sum{}) / n : 0, mean_gn = over_block(sum_gn, Sum{}) / n;
    for (int64_t c = threadIdx.x; c < a.C; c += blockDim.x) {
      const float normed = (to_float(a.x.at(row, c)) - mean) * rstd, g = to_float(a.dy.at(row, c)) * a.w.at(c, 0);
      const float so_far = a.adds ? to_float(a.dx.at(row, c)) : 0;
      a.dx.at(row, c) = from_float<X>(so_far + rstd * (g - mean_g - normed * mean_gn));
    }
  }
  for (int64_t c = threadIdx.x; c < a.C; c += blockDim.x) {
    a.partials[(int64_t{blockIdx.x} * 2) * a.C + c] = dw[c];
    a.partials[(int64_t{blockIdx.x} * 2 + 1) * a.C + c] = db[c];
  }
}

// 32 channels side by side, 32 parts at once.
__global__ void add_partials_kernel(const float* partials, int64_t blocks, int64_t C, Rows2<float> dw,
                                    Rows2<float> db) {
  __shared__ float sums[32][33];
  const int64_t c = int64_t{blockIdx.x} * 32 + threadIdx.x;
  const Rows2<float> out = blockIdx.y == 0 ? dw : db;
  if (!out.data) return;
  float sum = 0;
  if (c < C)
    for (int64_t i = threadIdx.y; i < blocks; i += 32) sum += partials[(i * 2 + blockIdx.y) * C + c];
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || c >= C) return;
  for (int k = 1; k < 32; ++k) sum += sums[k][threadIdx.x];
  out.at(c, 0) += sum;
}

void require_vector(const rgm_view* v, int64_t n, const char* what) {
  require(v && v->rank == 1 && v->shape[0] == n, what);
  if (v->dtype != RGM_F32) unsupported("norm: weights and statistics in float32");
}

int threads_for(int64_t C) { return C <= 128 ? 64 : C <= 512 ? 128 : 256; }

}  // namespace

rgm_status norm(rgm_queue* q, const rgm_norm* args) {
  return kernel(q, "norm", [&] {
    const rgm_norm& a = *args;
    accept_features(a.features, known, "norm");
    require(a.x->rank == 2 && same_shape(*a.x, *a.y), "norm: x and y are (M, C)");
    const int64_t M = a.x->shape[0], C = a.x->shape[1];
    require_vector(a.w, C, "norm: w is (C)");
    const bool centred = a.features & RGM_NORM_MEAN, residual = a.features & RGM_NORM_RESIDUAL;
    if (residual && a.residual->dtype != a.x->dtype) unsupported("norm: a residual of another dtype than x");
    if (M * C == 0) return;
    with_float(a.x->dtype, "norm", [&](auto tx) {
      with_float(a.y->dtype, "norm", [&](auto ty) {
        using X = decltype(tx);
        using Y = decltype(ty);
        const Norm<X, Y> n{rows2<X>(a.x),
                           rows2<const X>(residual ? a.residual : nullptr),
                           rows2<const float>(a.w),
                           rows2<const float>(a.features & RGM_NORM_BIAS ? a.b : nullptr),
                           rows2<Y>(a.y),
                           rows2<float>(centred ? a.mean : nullptr),
                           rows2<float>(a.rstd),
                           M,
                           C,
                           static_cast<float>(a.epsilon),
                           centred};
        if (norm_rows(q, n)) return;
        norm_kernel<X, Y><<<static_cast<unsigned>(M), threads_for(C), 0, q->stream>>>(n);
      });
    });
  });
}

rgm_status norm_grad(rgm_queue* q, const rgm_norm* args) {
  return kernel(q, "norm_grad", [&] {
    const rgm_norm& a = *args;
    accept_features(a.features, known | RGM_NORM_ADD, "norm_grad");
    require(a.x->rank == 2 && same_shape(*a.x, *a.dy) && same_shape(*a.x, *a.dx), "norm_grad: x, dy, dx are (M, C)");
    const int64_t M = a.x->shape[0], C = a.x->shape[1], memory = 2 * C * static_cast<int64_t>(sizeof(float));
    require_vector(a.w, C, "norm_grad: w is (C)");
    if (a.dx->dtype != a.x->dtype) unsupported("norm_grad: dx of another dtype than x");
    if (memory > q->device->shared_memory - 1024) unsupported("norm_grad: too many channels");
    if (M * C == 0) return;
    const auto blocks = static_cast<unsigned>(std::min<int64_t>(M, 2 * q->device->multiprocessors));
    auto* partials = scratch<float>(q, Scratch::kPartials, int64_t{blocks} * 2 * C);
    const bool centred = a.features & RGM_NORM_MEAN;
    const rgm_view* db = a.features & RGM_NORM_BIAS ? a.db : nullptr;
    with_float(a.x->dtype, "norm_grad", [&](auto tx) {
      with_float(a.dy->dtype, "norm_grad", [&](auto ty) {
        using X = decltype(tx);
        using DY = decltype(ty);
        const NormGrad<X, DY> n{rows2<const X>(a.x),
                                rows2<const float>(a.w),
                                rows2<const float>(centred ? a.mean : nullptr),
                                rows2<const float>(a.rstd),
                                rows2<const DY>(a.dy),
                                rows2<X>(a.dx),
                                M,
                                C,
                                centred,
                                a.dw != nullptr,
                                db != nullptr,
                                (a.features & RGM_NORM_ADD) != 0,
                                partials};
        if (norm_grad_rows(q, n, blocks)) return;
        const auto run = norm_grad_kernel<X, DY>;
        if (memory > 40 << 10)  // 48 KiB, less what the kernel declares
          let_use(run, q->device->shared_memory - 1024, "norm_grad");
        run<<<blocks, threads_for(C), static_cast<size_t>(memory), q->stream>>>(n);
      });
    });
    if (a.dw || db)
      add_partials_kernel<<<dim3(static_cast<unsigned>((C + 31) / 32), 2), dim3(32, 32), 0, q->stream>>>(
          partials, blocks, C, rows2<float>(a.dw), rows2<float>(db));
  });
}

}  // namespace regimen::cudnn
