// softmax.cpp - softmax, its gradient, running sums and the k largest, along one axis. A row that has gaps is worked on
// in a copy.
#include <memory>
#include <numeric>
#include <vector>

#include "kernels.hpp"

namespace regimen::onednn {
namespace {
// `axis` moved to the end, so that Rows' last step is along it; sizes of 1 there are fine.
template <size_t N>
struct Lines {
  Lines(int32_t axis, const std::array<const rgm_view*, N>& views) {
    require(axis >= 0 && axis < views[0]->rank, "no such axis");
    std::array<const rgm_view*, N> pointers;
    for (size_t k = 0; k < N; ++k) {
      require(same_shape(*views[k], *views[0]), "views of different shapes");
      if (views[k]->dtype != RGM_F32) unsupported("onednn: softmax and cumsum are for float32");
      outer[k] = *views[k];
      outer[k].rank = 0;
      for (int32_t i = 0; i < views[k]->rank; ++i) {
        if (i == axis) continue;
        outer[k].shape[outer[k].rank] = views[k]->shape[i];
        outer[k].stride[outer[k].rank++] = views[k]->stride[i];
      }
      step[k] = views[k]->stride[axis];
      pointers[k] = &outer[k];
    }
    length = views[0]->shape[axis];
    rows = std::make_unique<Rows<N>>(pointers);
  }
  // body(offset of each view) for every line
  template <class F>
  void each(rgm_queue* q, F&& body) const {
    const int64_t inner = std::max<int64_t>(rows->length(), 1);
    parallel(threads(q), rows->size() * inner, std::max<int64_t>(1, kGrain / 4 / std::max<int64_t>(length, 1)),
             [&](int64_t begin, int64_t end, int) {
               int64_t first = begin / inner * inner;
               rows->each(begin / inner, (end + inner - 1) / inner, [&](auto at, int64_t n, const auto& s) {
                 const int64_t lo = std::max<int64_t>(begin - first, 0), hi = std::min(end - first, n);
                 for (int64_t i = lo; i < hi; ++i) {
                   auto here = at;
                   for (size_t k = 0; k < N; ++k) here[k] += i * s[k];
                   body(here);
                 }
                 first += n;
               });
             });
  }
  bool dense() const {
    return length == 1 || std::all_of(step.begin(), step.end(), [](int64_t s) { return s == 1; });
  }

  std::array<rgm_view, N> outer;
  std::array<int64_t, N> step;
  int64_t length;
  std::unique_ptr<Rows<N>> rows;
};

void load(const float* x, int64_t step, int64_t n, std::vector<float>& line) {
  line.resize(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) line[static_cast<size_t>(i)] = x[i * step];
}
void store(const std::vector<float>& line, float* y, int64_t step) {
  for (size_t i = 0; i < line.size(); ++i) y[static_cast<int64_t>(i) * step] = line[i];
}
thread_local std::vector<float> line_a, line_b;  // keep their memory
}  // namespace

rgm_status softmax(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y) {
  return kernel(q, [&] {
    const Lines<2> lines(axis, {x, y});
    const VectorKernels& v = vector(q);
    const float* px = data<float>(*x);
    float* py = data<float>(*y);
    lines.each(q, [&](const auto& at) {
      if (lines.dense()) return v.softmax(px + at[0], py + at[1], lines.length);
      load(px + at[0], lines.step[0], lines.length, line_a);
      v.softmax(line_a.data(), line_a.data(), lines.length);
      store(line_a, py + at[1], lines.step[1]);
    });
  });
}

rgm_status softmax_grad(rgm_queue* q, int32_t axis, const rgm_view* y, const rgm_view* dy, const rgm_view* dx) {
  return kernel(q, [&] {
    const Lines<3> lines(axis, {y, dy, dx});
    const VectorKernels& v = vector(q);
    const float *py = data<float>(*y), *pd = data<float>(*dy);
    float* out = data<float>(*dx);
    lines.each(q, [&](const auto& at) {
      if (lines.dense()) return v.softmax_grad(py + at[0], pd + at[1], out + at[2], lines.length);
      load(py + at[0], lines.step[0], lines.length, line_a);
      load(pd + at[1], lines.step[1], lines.length, line_b);
      v.softmax_grad(line_a.data(), line_b.data(), line_a.data(), lines.length);
      store(line_a, out + at[2], lines.step[2]);
    });
  });
}

rgm_status cumsum(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y) {
  return kernel(q, [&] {
    const Lines<2> lines(axis, {x, y});
    lines.each(q, [&](const auto& at) {
      const float* px = data<float>(*x) + at[0];
      float* py = data<float>(*y) + at[1];
      double sum = 0;
      for (int64_t i = 0; i < lines.length; ++i)
        py[i * lines.step[1]] = static_cast<float>(sum += px[i * lines.step[0]]);
    });
  });
}

rgm_status top_k(rgm_queue* q, const rgm_view* x, const rgm_view* y, const rgm_view* index) {
  return kernel(q, [&] {
    Matrix mx, my, mi;
    if (x->dtype != RGM_F32 || y->dtype != RGM_F32 || index->dtype != RGM_I32 || !is_matrix(*x, mx) ||
        !is_matrix(*y, my) || !is_matrix(*index, mi))
      unsupported("onednn: top_k wants float32 rows without gaps");
    const int64_t k = my.columns, n = mx.columns;
    require(k <= n && mi.columns == k && my.rows == mx.rows && mi.rows == mx.rows, "top_k: shapes do not fit");
    if (k == 0) return;
    parallel(threads(q), mx.rows, std::max<int64_t>(1, kGrain / 4 / n), [&](int64_t begin, int64_t end, int) {
      thread_local std::vector<int32_t> order;
      for (int64_t r = begin; r < end; ++r) {
        const float* row = mx.row(r);
        const auto before = [row](int32_t a, int32_t b) {  // NaN behind all others
          const bool nan_a = row[a] != row[a], nan_b = row[b] != row[b];
          if (nan_a != nan_b) return nan_b;
          return row[a] > row[b] || (!(row[a] < row[b]) && a < b);
        };
        int32_t* chosen = static_cast<int32_t*>(mi.data) + r * mi.stride;
        if (k == 1) {
          int32_t best = 0;
          for (int32_t i = 1; i < n; ++i)
            if (before(i, best)) best = i;
          chosen[0] = best;
        } else {
          order.resize(static_cast<size_t>(n));
          std::iota(order.begin(), order.end(), 0);
          std::partial_sort(order.begin(), order.begin() + k, order.end(), before);
          std::copy_n(order.begin(), k, chosen);
        }
        float y_row[64];  // y may be x
        float* out = my.row(r);
        if (k <= 64 || out != row) {
          float* target = out == row ? y_row : out;
          for (int64_t i = 0; i < k; ++i) target[i] = row[chosen[i]];
          if (target != out) std::copy_n(target, k, out);
        } else {
          const std::vector<float> values(row, row + n);
          for (int64_t i = 0; i < k; ++i) out[i] = values[static_cast<size_t>(chosen[i])];
        }
      }
    });
  });
}

}  // namespace regimen::onednn
