// norm_rows.cu - norms and their gradient with each row in the registers of a team, a warp or a block: every value is
// read once, four neighbours at a time.
#include "norm.cuh"

namespace regimen::cudnn {
namespace {

constexpr int block_size = 256;

template <int lanes>
__device__ float over_team(float x) {
  return lanes == 32 ? over_warp(x, Sum{}) : over_block(x, Sum{});
}

template <class T>
__device__ void read(const Rows2<T>& from, int64_t row, int64_t c, float (&x)[4]) {
  const auto here = *reinterpret_cast<const Four<std::remove_const_t<T>>*>(from.data + row * from.row + c);
#pragma unroll
  for (int k = 0; k < 4; ++k) x[k] = to_float(here.at[k]);
}
template <class T>
__device__ void write(const Rows2<T>& to, int64_t row, int64_t c, const float (&x)[4]) {
  Four<T> here;
#pragma unroll
  for (int k = 0; k < 4; ++k) here.at[k] = from_float<T>(x[k]);
  *reinterpret_cast<Four<T>*>(to.data + row * to.row + c) = here;
}

template <class X, class Y, int lanes, int fours>
__global__ void __launch_bounds__(block_size) norm_kernel(Norm<X, Y> a) {
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const int64_t row = int64_t{blockIdx.x} * (block_size / lanes) + threadIdx.x / lanes;
  if (row >= a.M) return;
  const auto n = static_cast<float>(a.C);
  float x[fours][4], sum = 0, squares = 0;
#pragma unroll
  for (int i = 0; i < fours; ++i) {
    const int c = (i * lanes + lane) * 4;
    if (c >= a.C) continue;
    read(a.x, row, c, x[i]);
    if (a.residual.data) {
      float r[4];
      read(a.residual, row, c, r);
#pragma unroll
      for (int k = 0; k < 4; ++k) x[i][k] = to_float(from_float<X>(x[i][k] + r[k]));  // as the gradient will read it
      write(a.x, row, c, x[i]);
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) sum += x[i][k];
  }
  const float mean = a.centred ? over_team<lanes>(sum) / n : 0;
#pragma unroll
  for (int i = 0; i < fours; ++i)
    if ((i * lanes + lane) * 4 < a.C)
#pragma unroll
      for (int k = 0; k < 4; ++k) squares += (x[i][k] - mean) * (x[i][k] - mean);
  const float rstd = rsqrtf(over_team<lanes>(squares) / n + a.epsilon);
#pragma unroll
  for (int i = 0; i < fours; ++i) {
    const int c = (i * lanes + lane) * 4;
    if (c >= a.C) continue;
    float w[4], b[4] = {}, y[4];
    read(a.w, 0, c, w);
    if (a.b.data) read(a.b, 0, c, b);
#pragma unroll
    for (int k = 0; k < 4; ++k) y[k] = (x[i][k] - mean) * rstd * w[k] + b[k];
    write(a.y, row, c, y);
  }
  if (lane != 0) return;
  if (a.mean.data) a.mean.at(row, 0) = mean;
  if (a.rstd.data) a.rstd.at(row, 0) = rstd;
}

// Two blocks a multiprocessor, as many as are launched, where registers allow it.
template <class X, class DY, int lanes, int fours>
__global__ void __launch_bounds__(block_size, fours <= 6 ? 2 : 1) norm_grad_kernel(NormGrad<X, DY> a) {
  constexpr int teams = block_size / lanes;
  extern __shared__ float sums[];  // dw, db
  const int lane = static_cast<int>(threadIdx.x) % lanes, team = static_cast<int>(threadIdx.x) / lanes;
  const auto n = static_cast<float>(a.C);
  float dw[fours][4] = {}, db[fours][4] = {};
  for (int64_t row = int64_t{blockIdx.x} * teams + team; row < a.M; row += int64_t{gridDim.x} * teams) {
    const float mean = a.centred ? a.mean.at(row, 0) : 0, rstd = a.rstd.at(row, 0);
    // dy as it lies takes fewer registers, and w is read again: two blocks then have room.
    float normed[fours][4], sum_g = 0, sum_gn = 0;
    Four<DY> dys[fours];
#pragma unroll
    for (int i = 0; i < fours; ++i) {
      const int c = (i * lanes + lane) * 4;
      if (c >= a.C) continue;
      float w[4];
      read(a.x, row, c, normed[i]);
      dys[i] = *reinterpret_cast<const Four<DY>*>(a.dy.data + row * a.dy.row + c);
      read(a.w, 0, c, w);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const float dy = to_float(dys[i].at[k]), g = dy * w[k];
        normed[i][k] = (normed[i][k] - mean) * rstd;
        dw[i][k] += dy * normed[i][k];
        db[i][k] += dy;
        sum_g += g;
        sum_gn += g * normed[i][k];
      }
    }
    const float mean_g = a.centred ? over_team<lanes>(sum_g) / n : 0, mean_gn = over_team<lanes>(sum_gn) / n;
#pragma unroll
    for (int i = 0; i < fours; ++i) {
      const int c = (i * lanes + lane) * 4;
      if (c >= a.C) continue;
      float w[4], dx[4], so_far[4] = {};
      read(a.w, 0, c, w);
      if (a.adds) read(a.dx, row, c, so_far);
#pragma unroll
      for (int k = 0; k < 4; ++k)
        dx[k] = rstd * (to_float(dys[i].at[k]) * w[k] - mean_g - normed[i][k] * mean_gn) + so_far[k];
      write(a.dx, row, c, dx);
    }
  }
  // One team after the other, so that the order is always the same.
  for (int turn = 0; turn < teams; ++turn) {
    if (turn == team)
      for (int i = 0; i < fours; ++i) {
        const int c = (i * lanes + lane) * 4;
        for (int k = 0; k < 4 && c < a.C; ++k) {
          sums[c + k] = (turn > 0 ? sums[c + k] : 0) + dw[i][k];
          sums[a.C + c + k] = (turn > 0 ? sums[a.C + c + k] : 0) + db[i][k];
        }
      }
    __syncthreads();
  }
  float* const out = a.partials + int64_t{blockIdx.x} * 2 * a.C;
  for (int64_t c = threadIdx.x; c < 2 * a.C; c += block_size) out[c] = sums[c];
}

template <class T>
bool in_fours(const Rows2<T>& rows) {
  return !rows.data || (rows.column == 1 && rows.row % 4 == 0 && reads_fours(rows.data));
}
template <class T>
bool vector_in_fours(const Rows2<T>& v) {
  return !v.data || (v.row == 1 && reads_fours(v.data));
}

// body(lanes, fours of each) for the smallest team that holds a row; a block where the rows are few.
template <class F>
bool with_team(int64_t C, bool few, F&& body) {
  const auto run = [&](auto lanes, auto fours) {
    body(lanes, fours);
    return true;
  };
  using std::integral_constant;
  if (C % 4 != 0 || C > 8192) return false;
  if (C <= 256 && !few) return run(integral_constant<int, 32>{}, integral_constant<int, 2>{});
  if (C <= 768 && !few) return run(integral_constant<int, 32>{}, integral_constant<int, 6>{});
  if (C <= 2048) return run(integral_constant<int, block_size>{}, integral_constant<int, 2>{});
  if (C <= 4096) return run(integral_constant<int, block_size>{}, integral_constant<int, 4>{});
  return run(integral_constant<int, block_size>{}, integral_constant<int, 8>{});
}

}  // namespace

template <class X, class Y>
bool norm_rows(rgm_queue* q, const Norm<X, Y>& a) {
  if (!in_fours(a.x) || !in_fours(a.residual) || !in_fours(a.y) || !vector_in_fours(a.w) || !vector_in_fours(a.b))
    return false;
  return with_team(a.C, a.M <= 2 * q->device->multiprocessors, [&](auto lanes, auto fours) {
    constexpr int64_t teams = block_size / lanes;
    norm_kernel<X, Y, lanes, fours><<<static_cast<unsigned>((a.M + teams - 1) / teams), block_size, 0, q->stream>>>(a);
  });
}

template <class X, class DY>
bool norm_grad_rows(rgm_queue* q, const NormGrad<X, DY>& a, unsigned blocks) {
  if (!in_fours(a.x) || !in_fours(a.dy) || !in_fours(a.dx) || !vector_in_fours(a.w)) return false;
  return with_team(a.C, false, [&](auto lanes, auto fours) {
    const auto run = norm_grad_kernel<X, DY, lanes, fours>;
    const size_t memory = 2 * static_cast<size_t>(a.C) * sizeof(float);
    if (memory > 40 << 10)  // 48 KiB, less what the kernel declares
      let_use(run, q->device->shared_memory - 1024, "norm_grad");
    run<<<blocks, block_size, memory, q->stream>>>(a);
  });
}

template bool norm_rows(rgm_queue*, const Norm<float, float>&);
template bool norm_rows(rgm_queue*, const Norm<float, BF16>&);
template bool norm_rows(rgm_queue*, const Norm<BF16, float>&);
template bool norm_rows(rgm_queue*, const Norm<BF16, BF16>&);
template bool norm_grad_rows(rgm_queue*, const NormGrad<float, float>&, unsigned);
template bool norm_grad_rows(rgm_queue*, const NormGrad<float, BF16>&, unsigned);
template bool norm_grad_rows(rgm_queue*, const NormGrad<BF16, float>&, unsigned);
template bool norm_grad_rows(rgm_queue*, const NormGrad<BF16, BF16>&, unsigned);

}  // namespace regimen::cudnn
