// index.cpp - gather and scatter_add along an axis. Everything before the axis is an outer loop, everything behind it a
// row that moves whole.
#include "kernels.hpp"
#include "types.hpp"

namespace regimen::onednn {
namespace {
int64_t at_index(const rgm_view& index, int64_t i) {
  return index.dtype == RGM_I64 ? data<int64_t>(index)[i * index.stride[0]] : data<int32_t>(index)[i * index.stride[0]];
}

void check_index(const rgm_view& index, int64_t size, const char* what) {
  require(index.rank == 1 && (index.dtype == RGM_I32 || index.dtype == RGM_I64),
          std::string(what) + ": index must be one row of integers");
  for (int64_t i = 0; i < index.shape[0]; ++i) {
    const int64_t at = at_index(index, i);
    if (at < 0 || at >= size)
      throw Error(RGM_INVALID, std::string(what) + ": index " + std::to_string(at) + " at " + std::to_string(i) +
                                   " is outside of 0.." + std::to_string(size - 1));
  }
}

// The axes before `axis` (merged 0) or behind it (1).
rgm_view part(const rgm_view& v, int32_t axis, bool behind) {
  rgm_view p = v;
  p.rank = 0;
  for (int32_t i = behind ? axis + 1 : 0; i < (behind ? v.rank : axis); ++i) {
    p.shape[p.rank] = v.shape[i];
    p.stride[p.rank++] = v.stride[i];
  }
  return p;
}

struct Along {  // two views that differ only in the size of `axis`
  Along(int32_t axis, const rgm_view& a, const rgm_view& b)
      : outer_a(part(a, axis, false)),
        outer_b(part(b, axis, false)),
        inner_a(part(a, axis, true)),
        inner_b(part(b, axis, true)),
        outer({&outer_a, &outer_b}),
        inner({&inner_a, &inner_b}) {}
  rgm_view outer_a, outer_b, inner_a, inner_b;
  Rows<2> outer, inner;
  int64_t elements() const { return inner.size() * inner.length(); }
};

void check_axis(int32_t axis, const rgm_view& a, const rgm_view& b, const rgm_view& index, int64_t n) {
  require(a.rank == b.rank && axis >= 0 && axis < a.rank, "gather, scatter_add: no such axis");
  require(index.rank == 1 && index.shape[0] == n, "gather, scatter_add: the index has another length than the axis");
}
}  // namespace

rgm_status gather(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* index, const rgm_view* y) {
  return kernel(q, [&] {
    check_axis(axis, *x, *y, *index, y->shape[axis]);
    require(x->dtype == y->dtype, "gather: x and y differ in element type");
    check_index(*index, x->shape[axis], "gather");
    const Along along(axis, *x, *y);
    const int64_t n = y->shape[axis], x_step = x->stride[axis], y_step = y->stride[axis];
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(along.elements(), 1));
    with_size(x->dtype, [&](auto word) {
      using T = decltype(word);
      along.outer.each([&](const auto& outer, int64_t outers, const auto& outer_step) {
        parallel(threads(q), outers * n, grain, [&](int64_t begin, int64_t end, int) {
          for (int64_t k = begin; k < end; ++k) {
            const int64_t o = k / n, i = k % n;
            const T* from = data<T>(*x) + outer[0] + o * outer_step[0] + at_index(*index, i) * x_step;
            T* to = data<T>(*y) + outer[1] + o * outer_step[1] + i * y_step;
            along.inner.each([&](const auto& at, int64_t length, const auto& step) {
              if (step[0] == 1 && step[1] == 1)
                std::memcpy(to + at[1], from + at[0], static_cast<size_t>(length) * sizeof(T));
              else
                for (int64_t e = 0; e < length; ++e) to[at[1] + e * step[1]] = from[at[0] + e * step[0]];
            });
          }
        });
      });
    });
  });
}

// Equal targets are added in the order of i: threads share out the columns of a row, never the rows.
rgm_status scatter_add(rgm_queue* q, int32_t axis, const rgm_view* index, const rgm_view* x, const rgm_view* y) {
  return kernel(q, [&] {
    check_axis(axis, *x, *y, *index, x->shape[axis]);
    if (x->dtype != RGM_F32 || y->dtype != RGM_F32) unsupported("onednn: scatter_add of this element type");
    check_index(*index, y->shape[axis], "scatter_add");
    const VectorKernels& v = vector(q);
    const Along along(axis, *x, *y);
    const int64_t n = x->shape[axis], x_step = x->stride[axis], y_step = y->stride[axis];
    const auto add = [&](const auto& outer, int64_t o, const auto& outer_step, int64_t begin, int64_t end) {
      for (int64_t i = 0; i < n; ++i) {
        const float* from = data<float>(*x) + outer[0] + o * outer_step[0] + i * x_step;
        float* to = data<float>(*y) + outer[1] + o * outer_step[1] + at_index(*index, i) * y_step;
        along.inner.each([&](const auto& at, int64_t length, const auto& step) {
          const int64_t hi = std::min(end, length);
          if (step[0] == 1 && step[1] == 1 && begin < hi)
            return v.binary(RGM_ADD, to + at[1] + begin, 1, from + at[0] + begin, 1, to + at[1] + begin, hi - begin);
          for (int64_t e = begin; e < hi; ++e) to[at[1] + e * step[1]] += from[at[0] + e * step[0]];
        });
      }
    };
    const int64_t length = std::max<int64_t>(along.inner.length(), 1);
    const int64_t work = std::max<int64_t>(n * along.inner.size(), 1);
    along.outer.each([&](const auto& outer, int64_t outers, const auto& outer_step) {
      if (outers >= threads(q))
        return parallel(threads(q), outers, std::max<int64_t>(1, kGrain / (work * length)),
                        [&](int64_t begin, int64_t end, int) {
                          for (int64_t o = begin; o < end; ++o) add(outer, o, outer_step, 0, length);
                        });
      for (int64_t o = 0; o < outers; ++o)
        parallel(threads(q), length, std::max<int64_t>(16, kGrain / work),
                 [&](int64_t begin, int64_t end, int) { add(outer, o, outer_step, begin, end); });
    });
  });
}

}  // namespace regimen::onednn
