// update.cu - AdamW (Loshchilov and Hutter 2019) over all parameters in one launch, and the sum of squares that
// clipping needs, accumulated in float64.
#include "kernels.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

struct Item {
  const float* g;
  float* p;
  void *m, *v;  // BF16 where there is a draw
  const int32_t* draw;
  void* copy;
  int64_t n;
  int copy_is_bf16;
};

// Dense in the same order, or nothing: the host composes what is not.
int64_t dense_count(const rgm_view& v, const char* kernel, rgm_dtype dtype = RGM_F32) {
  if (v.dtype != dtype || !is_contiguous(v))
    unsupported(std::string(kernel) + (dtype == RGM_F32 ? ": float32" : ": bfloat16") + " without gaps");
  return count(v);
}

// What the items are goes to the device in one small upload.
template <class T>
const T* table_of(rgm_queue* q, const std::vector<T>& items) {
  if (q->captures) unsupported("a list of tensors is uploaded, which work that is captured cannot be");
  auto* table = scratch<T>(q, Scratch::kTable, static_cast<int64_t>(items.size()));
  q->staging->upload(table, items.data(), items.size() * sizeof(T), q->stream);
  return table;
}

// Element i of moments, which are float32 or, with a draw, bfloat16 that is rounded at random: see rgm_adamw.
__device__ float moment(const void* moments, int64_t i, bool narrow) {
  if (!narrow) return static_cast<const float*>(moments)[i];
  return __uint_as_float(uint32_t{static_cast<const uint16_t*>(moments)[i]} << 16);
}
__device__ void keep(void* moments, int64_t i, float x, bool narrow, uint32_t random) {
  if (!narrow) {
    static_cast<float*>(moments)[i] = x;
    return;
  }
  const uint32_t bits = __float_as_uint(x);
  static_cast<uint16_t*>(moments)[i] = static_cast<uint16_t>((isnan(x) ? bits : bits + random) >> 16);
}
__device__ uint32_t mixed(uint32_t w) {
  w ^= w >> 16, w *= 0x7FEB352D;
  w ^= w >> 15, w *= 0x846CA68B;
  return w ^ w >> 16;
}

__global__ void adamw_kernel(const float* hyper, int64_t stride, const Item* items) {
  const Item item = items[blockIdx.y];
  const float rate = hyper[0], beta1 = hyper[stride], beta2 = hyper[2 * stride], epsilon = hyper[3 * stride],
              decay = hyper[4 * stride], correction1 = hyper[5 * stride], correction2 = hyper[6 * stride],
              factor = hyper[7 * stride];
  if (isnan(factor)) return;
  const bool narrow = item.draw;
  const uint32_t draw = narrow ? static_cast<uint32_t>(*item.draw) : 0;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < item.n; i += int64_t{gridDim.x} * blockDim.x) {
    const float g = factor * item.g[i];
    const float m = beta1 * moment(item.m, i, narrow) + (1 - beta1) * g,
                v = beta2 * moment(item.v, i, narrow) + (1 - beta2) * g * g;
    float p = item.p[i];
    p -= rate * decay * p;
    p -= rate * (m / correction1) / (sqrtf(v / correction2) + epsilon);
    const uint32_t random = narrow ? mixed(draw + static_cast<uint32_t>(i)) : 0;
    keep(item.m, i, m, narrow, random & 0xFFFF);
    keep(item.v, i, v, narrow, random >> 16);
    item.p[i] = p;
    if (!item.copy) continue;
    if (item.copy_is_bf16)
      static_cast<BF16*>(item.copy)[i] = from_float<BF16>(p);
    else
      static_cast<F16*>(item.copy)[i] = from_float<F16>(p);
  }
}

struct Squares {
  const float* x;
  int64_t n;
};
constexpr int64_t most_parts = 64;  // of an item, a block each

__global__ void squares_kernel(const Squares* items, double* partials) {
  const Squares item = items[blockIdx.y];
  double sum = 0;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < item.n; i += int64_t{gridDim.x} * blockDim.x)
    sum += static_cast<double>(item.x[i]) * item.x[i];
  sum = over_block(sum, Sum{});
  if (threadIdx.x == 0) partials[int64_t{blockIdx.y} * gridDim.x + blockIdx.x] = sum;
}
__global__ void total_kernel(const double* partials, int64_t n, float* y) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += partials[i];
  sum = over_block(sum, Sum{});
  if (threadIdx.x == 0) *y = static_cast<float>(sum);
}

}  // namespace

rgm_status adamw(rgm_queue* q, const rgm_view* hyper, uint32_t n, const rgm_adamw* const* items) {
  return kernel(q, "adamw", [&] {
    for (uint32_t i = 0; i < n; ++i) accept_features(items[i]->features, RGM_ADAMW_NARROW, "adamw");
    std::vector<Item> table;
    int64_t largest = 0;
    for (uint32_t i = 0; i < n; ++i) {
      const rgm_adamw& a = *items[i];
      const int64_t elements = dense_count(*a.p, "adamw");
      const bool narrow = a.features & RGM_ADAMW_NARROW;
      require(same_shape(*a.g, *a.p) && dense_count(*a.g, "adamw") == elements, "adamw: one shape");
      for (const rgm_view* v : {a.m, a.v})
        require(same_shape(*v, *a.p) && dense_count(*v, "adamw", narrow ? RGM_BF16 : RGM_F32) == elements,
                "adamw: one shape");
      if (a.copy && (!is_contiguous(*a.copy) || (a.copy->dtype != RGM_BF16 && a.copy->dtype != RGM_F16)))
        unsupported("adamw: a copy in a 16-bit float without gaps");
      table.push_back({data<const float>(*a.g), data<float>(*a.p), a.m->data, a.v->data,
                       narrow ? data<const int32_t>(*a.draw) : nullptr, a.copy ? a.copy->data : nullptr, elements,
                       a.copy && a.copy->dtype == RGM_BF16});
      largest = std::max(largest, elements);
    }
    if (largest == 0) return;
    const auto blocks =
        static_cast<unsigned>(std::min<int64_t>((largest + 1023) / 1024, 8 * q->device->multiprocessors));
    adamw_kernel<<<dim3(blocks, n), threads_in_block, 0, q->stream>>>(data<const float>(*hyper), hyper->stride[0],
                                                                      table_of(q, table));
  });
}

rgm_status sum_of_squares(rgm_queue* q, uint32_t n, const rgm_view* const* xs, const rgm_view* y) {
  return kernel(q, "sum_of_squares", [&] {
    require(y->dtype == RGM_F32, "sum_of_squares: y is float32");
    std::vector<Squares> table;
    int64_t largest = 0;
    for (uint32_t i = 0; i < n; ++i) {
      table.push_back({data<const float>(*xs[i]), dense_count(*xs[i], "sum_of_squares")});
      largest = std::max(largest, table.back().n);
    }
    const int64_t parts = std::clamp<int64_t>((largest + 4095) / 4096, 1, most_parts);
    auto* partials = scratch<double>(q, Scratch::kPartials, std::max<int64_t>(n, 1) * parts);
    if (n > 0)
      squares_kernel<<<dim3(static_cast<unsigned>(parts), n), threads_in_block, 0, q->stream>>>(table_of(q, table),
                                                                                                partials);
    total_kernel<<<1, threads_in_block, 0, q->stream>>>(partials, int64_t{n} * parts, data<float>(*y));
  });
}

}  // namespace regimen::cudnn
