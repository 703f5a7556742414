// index.cu - gather, and the sum by index without unordered float sums: the indices are sorted, stably, and each place
// adds up its own in their order.
#include <cub/device/device_radix_sort.cuh>

#include "kernels.hpp"
#include "views.cuh"

namespace regimen::cudnn {
namespace {

template <class T>
struct Gather {  // element e of y: its line by number, and its place on the axis
  Axes<2> others;
  const T* x;
  T* y;
  const int32_t* index;
  int64_t n, x_size, x_step, y_step, index_step;
  int* fault;
  bool inner_axis;  // the axis runs fastest
};
template <class T>
__global__ void gather_kernel(Gather<T> g) {
  const int64_t count = g.n * g.others.count, step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t e = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; e < count; e += step) {
    const int64_t fast = g.inner_axis ? g.n : g.others.count;
    const bool small = count <= INT32_MAX;  // divisions of 64 bits take long
    const int64_t slow_one = small ? static_cast<uint32_t>(e) / static_cast<uint32_t>(fast) : e / fast,
                  fast_one = e - slow_one * fast;
    const int64_t i = g.inner_axis ? fast_one : slow_one, other = g.inner_axis ? slow_one : fast_one;
    int64_t at[2];
    g.others.at(other, at);
    const int64_t from = g.index[i * g.index_step];
    if (from < 0 || from >= g.x_size) {
      *g.fault = kIndexOutside;
      continue;
    }
    g.y[at[1] + i * g.y_step] = g.x[at[0] + from * g.x_step];
  }
}

__global__ void keys_kernel(const int32_t* index, int64_t step, int64_t n, uint32_t* keys, uint32_t* places) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  keys[i] = static_cast<uint32_t>(index[i * step]);
  places[i] = static_cast<uint32_t>(i);
}

// The sorted list goes in spans. A run of equal indices inside of one is added up at once, a thread an element; what
// reaches over the edges of its span is left in `partials`, and a second launch adds up the run where it begins.
constexpr int64_t span = 64;
struct Scatter {
  Axes<2> others;  // of y and x
  Any y, x;
  const uint32_t *keys, *places;
  int64_t n, y_size, y_step, x_step;
  float* partials;  // (spans, 2, others): of the run that comes in, of the one that begins here and goes on
  int* fault;
  __device__ bool same(int64_t p, uint32_t key) const { return p >= 0 && p < n && keys[p] == key; }
  __device__ float* partial(int64_t s, int which) const { return partials + (2 * s + which) * others.count; }
};
__global__ void scatter_kernel(Scatter s) {
  const int64_t begin = int64_t{blockIdx.y} * span, end = min(begin + span, s.n);
  for (int64_t p = begin, q; p < end; p = q) {
    const uint32_t key = s.keys[p];
    for (q = p + 1; q < end && s.keys[q] == key;) ++q;
    if (key >= s.y_size) {
      *s.fault = kIndexOutside;
      continue;
    }
    const bool comes_in = s.same(p - 1, key), goes_on = s.same(q, key);
    for (int64_t other = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; other < s.others.count;
         other += int64_t{gridDim.x} * blockDim.x) {
      int64_t at[2];
      s.others.at(other, at);
      float sum = 0;
#pragma unroll 8
      for (int64_t i = p; i < q; ++i) sum += s.x.number(at[1] + int64_t{s.places[i]} * s.x_step);
      const int64_t to = at[0] + static_cast<int64_t>(key) * s.y_step;
      if (comes_in || goes_on)
        s.partial(blockIdx.y, !comes_in)[other] = sum;
      else
        s.y.put(to, s.y.number(to) + sum);
    }
  }
}
__global__ void join_kernel(Scatter s) {
  const int64_t end = min((int64_t{blockIdx.y} + 1) * span, s.n), begin = int64_t{blockIdx.y} * span;
  const uint32_t key = s.keys[end - 1];
  if (!s.same(end, key) || (s.same(begin - 1, key) && s.keys[begin] == key) || key >= s.y_size) return;
  for (int64_t other = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; other < s.others.count;
       other += int64_t{gridDim.x} * blockDim.x) {
    int64_t at[2];
    s.others.at(other, at);
    const int64_t to = at[0] + static_cast<int64_t>(key) * s.y_step;
    float sum = s.y.number(to) + s.partial(blockIdx.y, 1)[other];
#pragma unroll 4
    for (int64_t next = blockIdx.y + 1; s.same(next * span, key); ++next) sum += s.partial(next, 0)[other];
    s.y.put(to, sum);
  }
}

// Few indices are not sorted: a block column for each, which adds up all that have its index if it is the first of
// them.
constexpr int64_t few = 256;
__global__ void few_kernel(Scatter s, const int32_t* index, int64_t index_step) {
  const int64_t i = blockIdx.y;
  const int32_t key = index[i * index_step];
  if (key < 0 || key >= s.y_size) {
    *s.fault = kIndexOutside;
    return;
  }
  bool first = true;
  for (int64_t j = threadIdx.x; j < i; j += blockDim.x) first = first && index[j * index_step] != key;
  if (!__syncthreads_and(first)) return;
  for (int64_t other = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; other < s.others.count;
       other += int64_t{gridDim.x} * blockDim.x) {
    int64_t at[2];
    s.others.at(other, at);
    float sum = s.x.number(at[1] + i * s.x_step);
    for (int64_t j = i + 1; j < s.n; ++j)
      if (index[j * index_step] == key) sum += s.x.number(at[1] + j * s.x_step);
    const int64_t to = at[0] + static_cast<int64_t>(key) * s.y_step;
    s.y.put(to, s.y.number(to) + sum);
  }
}

void require_index(const char* name, const rgm_view& index, int32_t axis, const rgm_view& listed) {
  require(axis >= 0 && axis < listed.rank, std::string(name) + ": an axis outside of the view");
  require(index.rank == 1 && index.dtype == RGM_I32 && index.shape[0] == listed.shape[axis],
          std::string(name) + ": index is I32 and has a place for each element of the axis");
}

// Whole lines, which can be copied 16 bytes at a time.
bool in_sixteens(const Axes<2>& others, const rgm_view& x, const rgm_view& y, int32_t axis) {
  const auto bytes = static_cast<int64_t>(size_of(x.dtype));
  const auto whole = [&](int64_t elements) { return elements * bytes % 16 == 0; };
  return axis != y.rank - 1 && others.rank == 1 && others.stride[0][0] == 1 && others.stride[1][0] == 1 &&
         whole(others.count) && whole(x.stride[axis]) && whole(y.stride[axis]) &&
         (reinterpret_cast<uintptr_t>(x.data) | reinterpret_cast<uintptr_t>(y.data)) % 16 == 0;
}

// The axes other than `axis`, of whole (at any place on it) and listed.
Axes<2> others_of(int32_t axis, rgm_view whole, rgm_view listed) {
  whole.shape[axis] = listed.shape[axis] = 1;
  return axes_of<2>({&whole, &listed});
}

}  // namespace

rgm_status gather(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* index, const rgm_view* y) {
  return kernel(q, "gather", [&] {
    require_index("gather", *index, axis, *y);
    require(x->dtype == y->dtype && x->rank == y->rank, "gather: x and y have one dtype and rank");
    Axes<2> others = others_of(axis, *x, *y);
    const int64_t n = y->shape[axis];
    if (n * others.count == 0) return;
    const bool sixteens = in_sixteens(others, *x, *y, axis);
    const int64_t together = sixteens ? 16 / static_cast<int64_t>(size_of(x->dtype)) : 1;
    if (sixteens) others.count = others.size[0] /= together;
    const auto run = [&](auto t) {
      using T = decltype(t);
      const Gather<T> g{others,
                        data<const T>(*x),
                        data<T>(*y),
                        data<const int32_t>(*index),
                        n,
                        x->shape[axis],
                        x->stride[axis] / together,
                        y->stride[axis] / together,
                        index->stride[0],
                        q->fault_on_device,
                        axis == y->rank - 1};
      gather_kernel<T><<<blocks_for(n * others.count), threads_in_block, 0, q->stream>>>(g);
    };
    if (sixteens) return run(uint4{});
    switch (size_of(x->dtype)) {
      case 1: return run(uint8_t{});
      case 2: return run(uint16_t{});
      case 4: return run(uint32_t{});
      default: return run(uint64_t{});
    }
  });
}

rgm_status scatter_add(rgm_queue* q, int32_t axis, const rgm_view* index, const rgm_view* x, const rgm_view* y) {
  return kernel(q, "scatter_add", [&] {
    require_index("scatter_add", *index, axis, *x);
    if (!is_float(x->dtype) || !is_float(y->dtype)) unsupported("scatter_add: floats");
    const int64_t n = x->shape[axis];
    const Axes<2> others = others_of(axis, *y, *x);
    if (n * others.count == 0) return;
    require(n <= 65535 * span, "scatter_add: more than four million indices");
    const int threads = others.count >= 256 ? 256 : others.count > 32 ? 64 : 32;
    const auto columns = static_cast<unsigned>(std::min<int64_t>((others.count + threads - 1) / threads, 1 << 16));
    if (n <= few) {
      const Scatter s{others,         any(*y),         any(*x),         nullptr, nullptr,           n,
                      y->shape[axis], y->stride[axis], x->stride[axis], nullptr, q->fault_on_device};
      few_kernel<<<dim3(columns, static_cast<unsigned>(n)), threads, 0, q->stream>>>(s, data<const int32_t>(*index),
                                                                                     index->stride[0]);
      return;
    }
    auto* keys = scratch<uint32_t>(q, Scratch::kKeys, 4 * n);
    uint32_t *places = keys + n, *sorted_keys = keys + 2 * n, *sorted_places = keys + 3 * n;
    keys_kernel<<<blocks_for(n), threads_in_block, 0, q->stream>>>(data<const int32_t>(*index), index->stride[0], n,
                                                                   keys, places);
    size_t bytes = 0;
    const auto count = static_cast<int>(n);
    check_cuda(cub::DeviceRadixSort::SortPairs(nullptr, bytes, keys, sorted_keys, places, sorted_places, count, 0, 32,
                                               q->stream),
               "scatter_add");
    void* const storage = q->scratch.bytes(Scratch::kSort, bytes);
    check_cuda(cub::DeviceRadixSort::SortPairs(storage, bytes, keys, sorted_keys, places, sorted_places, count, 0, 32,
                                               q->stream),
               "scatter_add");
    const int64_t spans = (n + span - 1) / span;
    const Scatter s{others,
                    any(*y),
                    any(*x),
                    sorted_keys,
                    sorted_places,
                    n,
                    y->shape[axis],
                    y->stride[axis],
                    x->stride[axis],
                    scratch<float>(q, Scratch::kPartials, 2 * spans * others.count),
                    q->fault_on_device};
    const dim3 grid(columns, static_cast<unsigned>(spans));
    scatter_kernel<<<grid, threads, 0, q->stream>>>(s);
    if (spans > 1) join_kernel<<<grid, threads, 0, q->stream>>>(s);
  });
}

}  // namespace regimen::cudnn
