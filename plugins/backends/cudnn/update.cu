// update.cu - AdamW (Loshchilov and Hutter 2019) over all parameters in one launch, and the sum of squares that
// clipping needs, accumulated in float64.
#include "kernels.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

constexpr int64_t share_of_adamw = 4096, share_of_squares = 16384;  // elements of a block

struct Item {
  int64_t n, first;  // elements, and the first of its blocks
  const float* g;
  float* p;
  void *m, *v;  // BF16 where there is a draw
  const int32_t* draw;
  void* copy;
  bool copy_is_bf16, fours;  // all aligned, so that four neighbours go together
};

// Blocks for n elements, `share` each.
int64_t blocks_of(int64_t n, int64_t share) { return (n + share - 1) / share; }

// The item that the block is for: the last whose first block is not behind it. One without elements has no block.
template <class T>
__device__ const T& of_block(const T* items, uint32_t n) {
  uint32_t low = 0, high = n;
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    (items[middle].first <= blockIdx.x ? low : high) = middle;
  }
  return items[low];
}

// Dense in the same order, or nothing: the host composes what is not.
int64_t dense_count(const rgm_view& v, const char* kernel, rgm_dtype dtype = RGM_F32) {
  if (v.dtype != dtype || !is_contiguous(v))
    unsupported(std::string(kernel) + (dtype == RGM_F32 ? ": float32" : ": bfloat16") + " without gaps");
  return count(v);
}

bool are_aligned(std::initializer_list<const void*> all) {
  return std::ranges::all_of(all, [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; });
}

// What the items are goes to the device in one small upload.
template <class T>
const T* table_of(rgm_queue* q, const std::vector<T>& items) {
  if (q->captures) unsupported("a list of tensors is uploaded, which work that is captured cannot be");
  auto* table = scratch<T>(q, Scratch::kTable, static_cast<int64_t>(items.size()));
  q->staging->upload(table, items.data(), items.size() * sizeof(T), q->stream);
  return table;
}

// Moments are float32 or, with a draw, bfloat16 that is rounded at random: see rgm_adamw.
__device__ float widened(uint16_t x) { return __uint_as_float(uint32_t{x} << 16); }
__device__ uint16_t narrowed(float x, uint32_t random) {
  const uint32_t bits = __float_as_uint(x);
  return static_cast<uint16_t>((isnan(x) ? bits : bits + random) >> 16);
}
__device__ uint32_t mixed(uint32_t w) {
  w ^= w >> 16, w *= 0x7FEB352D;
  w ^= w >> 15, w *= 0x846CA68B;
  return w ^ w >> 16;
}

struct Hyper {
  float rate, beta1, beta2, epsilon, decay, correction1, correction2, factor;
};
__device__ float updated(const Hyper& h, float gradient, float& m, float& v, float p) {
  const float g = h.factor * gradient;
  m = h.beta1 * m + (1 - h.beta1) * g;
  v = h.beta2 * v + (1 - h.beta2) * g * g;
  p -= h.rate * h.decay * p;
  return p - h.rate * (m / h.correction1) / (sqrtf(v / h.correction2) + h.epsilon);
}

// `wide` neighbours from i on.
template <int wide, bool narrow>
__device__ void update(const Hyper& h, const Item& item, int64_t i) {
  struct alignas(wide * 4) Floats {
    float at[wide];
  };
  struct alignas(wide * 2) Halves {
    uint16_t at[wide];
  };
  const auto floats = [&](const void* all) {
    return *reinterpret_cast<const Floats*>(static_cast<const float*>(all) + i);
  };
  const auto halves = [&](const void* all) {
    return *reinterpret_cast<const Halves*>(static_cast<const uint16_t*>(all) + i);
  };
  const Floats g = floats(item.g);
  Floats p = floats(item.p), m, v;
  Halves narrow_m, narrow_v, copy;
  if constexpr (narrow) {
    narrow_m = halves(item.m), narrow_v = halves(item.v);
#pragma unroll
    for (int k = 0; k < wide; ++k) m.at[k] = widened(narrow_m.at[k]), v.at[k] = widened(narrow_v.at[k]);
  } else {
    m = floats(item.m), v = floats(item.v);
  }
#pragma unroll
  for (int k = 0; k < wide; ++k) {
    p.at[k] = updated(h, g.at[k], m.at[k], v.at[k], p.at[k]);
    if constexpr (narrow) {
      const uint32_t random = mixed(static_cast<uint32_t>(*item.draw) + static_cast<uint32_t>(i + k));
      narrow_m.at[k] = narrowed(m.at[k], random & 0xFFFF);
      narrow_v.at[k] = narrowed(v.at[k], random >> 16);
    }
    copy.at[k] = item.copy_is_bf16 ? __bfloat16_as_ushort(from_float<BF16>(p.at[k]))
                                   : __half_as_ushort(from_float<F16>(p.at[k]));
  }
  *reinterpret_cast<Floats*>(item.p + i) = p;
  if constexpr (narrow) {
    *reinterpret_cast<Halves*>(static_cast<uint16_t*>(item.m) + i) = narrow_m;
    *reinterpret_cast<Halves*>(static_cast<uint16_t*>(item.v) + i) = narrow_v;
  } else {
    *reinterpret_cast<Floats*>(static_cast<float*>(item.m) + i) = m;
    *reinterpret_cast<Floats*>(static_cast<float*>(item.v) + i) = v;
  }
  if (item.copy) *reinterpret_cast<Halves*>(static_cast<uint16_t*>(item.copy) + i) = copy;
}

template <int wide>
__device__ void update_share(const Hyper& h, const Item& item, int64_t begin, int64_t end) {
  for (int64_t i = begin + int64_t{threadIdx.x} * wide; i + wide <= end; i += int64_t{blockDim.x} * wide)
    item.draw ? update<wide, true>(h, item, i) : update<wide, false>(h, item, i);
}

__global__ void adamw_kernel(const float* hyper, int64_t stride, const Item* items, uint32_t n) {
  const Hyper h{hyper[0],          hyper[stride],     hyper[2 * stride], hyper[3 * stride],
                hyper[4 * stride], hyper[5 * stride], hyper[6 * stride], hyper[7 * stride]};
  if (isnan(h.factor)) return;
  const Item item = of_block(items, n);
  const int64_t begin = (blockIdx.x - item.first) * share_of_adamw, end = min(begin + share_of_adamw, item.n),
                whole = item.fours ? begin + (end - begin) / 4 * 4 : begin;
  update_share<4>(h, item, begin, whole);
  update_share<1>(h, item, whole, end);
}

struct Squares {
  int64_t n, first;
  const float* x;
  bool fours;
};
__global__ void squares_kernel(const Squares* items, uint32_t n, double* partials) {
  const Squares item = of_block(items, n);
  const int64_t begin = (blockIdx.x - item.first) * share_of_squares, end = min(begin + share_of_squares, item.n),
                whole = item.fours ? begin + (end - begin) / 4 * 4 : begin;
  double sum[2] = {0, 0};
  for (int64_t i = begin + 4 * threadIdx.x; i < whole; i += 4 * blockDim.x) {
    const Four<float> x = *reinterpret_cast<const Four<float>*>(item.x + i);
#pragma unroll
    for (int k = 0; k < 4; ++k) sum[k % 2] += static_cast<double>(x.at[k]) * x.at[k];
  }
  for (int64_t i = whole + threadIdx.x; i < end; i += blockDim.x) sum[0] += static_cast<double>(item.x[i]) * item.x[i];
  sum[0] = over_block(sum[0] + sum[1], Sum{});
  if (threadIdx.x == 0) partials[blockIdx.x] = sum[0];
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
    int64_t blocks = 0;
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
      if (elements == 0) continue;
      const bool fours = are_aligned({a.g->data, a.p->data, a.m->data, a.v->data, a.copy ? a.copy->data : nullptr});
      table.push_back({elements, blocks, data<const float>(*a.g), data<float>(*a.p), a.m->data, a.v->data,
                       narrow ? data<const int32_t>(*a.draw) : nullptr, a.copy ? a.copy->data : nullptr,
                       a.copy && a.copy->dtype == RGM_BF16, fours});
      blocks += blocks_of(elements, share_of_adamw);
    }
    if (blocks == 0) return;
    adamw_kernel<<<static_cast<unsigned>(blocks), threads_in_block, 0, q->stream>>>(
        data<const float>(*hyper), hyper->stride[0], table_of(q, table), static_cast<uint32_t>(table.size()));
  });
}

rgm_status sum_of_squares(rgm_queue* q, uint32_t n, const rgm_view* const* xs, const rgm_view* y) {
  return kernel(q, "sum_of_squares", [&] {
    require(y->dtype == RGM_F32, "sum_of_squares: y is float32");
    std::vector<Squares> table;
    int64_t blocks = 0;
    for (uint32_t i = 0; i < n; ++i) {
      const int64_t elements = dense_count(*xs[i], "sum_of_squares");
      if (elements == 0) continue;
      table.push_back({elements, blocks, data<const float>(*xs[i]), are_aligned({xs[i]->data})});
      blocks += blocks_of(elements, share_of_squares);
    }
    auto* partials = scratch<double>(q, Scratch::kPartials, std::max<int64_t>(blocks, 1));
    if (blocks > 0)
      squares_kernel<<<static_cast<unsigned>(blocks), threads_in_block, 0, q->stream>>>(
          table_of(q, table), static_cast<uint32_t>(table.size()), partials);
    total_kernel<<<1, 1024, 0, q->stream>>>(partials, blocks, data<float>(*y));
  });
}

}  // namespace regimen::cudnn
