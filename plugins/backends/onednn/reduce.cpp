// reduce.cpp - sums, means, maxima and logsumexp over any axes. Views come down to (outer, R, inner) where strides
// allow: rows go to the vector kernels, columns (the gradient of a bias) are added row by row; the rest goes number by
// number.
#include <cmath>
#include <limits>
#include <utility>

#include "kernels.hpp"

namespace regimen::onednn {
namespace {
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// In pieces, whose chains of float32 in the lanes of the vector kernel are 512 to 2048 long.
float sum_of(const VectorKernels& v, const float* x, int64_t n) {
  constexpr int64_t kPiece = 32768;
  double sum = 0;
  for (int64_t i = 0; i < n; i += kPiece) sum += v.sum(x + i, std::min(kPiece, n - i));
  return static_cast<float>(sum);
}

float finish_row(const VectorKernels& v, int32_t op, const float* x, int64_t n) {
  switch (op) {
    case RGM_SUM: return sum_of(v, x, n);
    case RGM_MEAN: return sum_of(v, x, n) / static_cast<float>(n);
    case RGM_MAXIMUM: return v.maximum(x, n);
    default: return v.logsumexp(x, n);
  }
}

// Two views of the same kept axes (rows of y), and one of the reduced axes: strides of x, visited in order.
struct Split {
  rgm_view kept_x, kept_y, reduced;
};
Split split(uint32_t axes, const rgm_view& x, const rgm_view& y) {
  Split s{x, y, x};
  s.kept_x.rank = s.kept_y.rank = s.reduced.rank = 0;
  for (int32_t i = 0; i < x.rank; ++i) {
    rgm_view& part = axes >> i & 1 ? s.reduced : s.kept_x;
    part.shape[part.rank] = x.shape[i];
    part.stride[part.rank++] = x.stride[i];
    if (axes >> i & 1) {
      require(y.shape[i] == 1, "reduce: y keeps a reduced axis with size 1");
    } else {
      s.kept_y.shape[s.kept_y.rank] = y.shape[i];
      s.kept_y.stride[s.kept_y.rank++] = y.stride[i];
    }
  }
  return s;
}

constexpr int64_t kColumns = 2048;  // that stay in the cache

// The sum of rows, in y: chains of float32 of at most kChain rows, however many come at once, and of these in float64.
class SumOfRows {
 public:
  SumOfRows(const VectorKernels& v, float* y, int64_t n) : v_(v), y_(y), n_(n) { std::fill_n(y, n, 0.0f); }
  void add(const float* x, int64_t x_row, int64_t rows) {
    while (rows > 0) {
      const int64_t some = std::min(rows, kChain);
      if (chain_ + some > kChain) end_chain();
      v_.weighted_rows(nullptr, x, x_row, some, n_, y_);
      chain_ += some, x += some * x_row, rows -= some;
    }
  }
  void finish() {
    if (!has_sums_) return;
    for (int64_t i = 0; i < n_; ++i) y_[i] = static_cast<float>(sums_[i] + y_[i]);
  }

 private:
  void end_chain() {
    if (!std::exchange(has_sums_, true)) std::fill_n(sums_, n_, 0.0);
    for (int64_t i = 0; i < n_; ++i) sums_[i] += y_[i];
    std::fill_n(y_, n_, 0.0f);
    chain_ = 0;
  }
  const VectorKernels& v_;
  float* y_;
  int64_t n_, chain_ = 0;  // rows in y
  bool has_sums_ = false;
  double sums_[kColumns];
};

// y (inner) = over rows of x (R, inner), both without gaps along inner, in blocks of columns.
void reduce_columns(rgm_queue* q, int32_t op, const Rows<1>& reduced, const float* x, int64_t inner, float* y) {
  const VectorKernels& v = vector(q);
  const int64_t R = reduced.size() * reduced.length(), grain = std::max<int64_t>(64, kGrain / std::max<int64_t>(R, 1));
  parallel(threads(q), inner, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t c = begin; c < end; c += kColumns) {
      const int64_t n = std::min(kColumns, end - c);
      if (op == RGM_MAXIMUM) {
        std::fill_n(y + c, n, -kInfinity);
        reduced.each([&](const auto& at, int64_t rows, const auto& step) {
          for (int64_t r = 0; r < rows; ++r) v.binary(RGM_MAX, y + c, 1, x + at[0] + r * step[0] + c, 1, y + c, n);
        });
        continue;
      }
      SumOfRows sum(v, y + c, n);
      reduced.each([&](const auto& at, int64_t rows, const auto& step) { sum.add(x + at[0] + c, step[0], rows); });
      sum.finish();
      if (op == RGM_MEAN) {
        const float scale = 1.0f / static_cast<float>(R);
        v.binary(RGM_MUL, y + c, 1, &scale, 0, y + c, n);
      }
    }
  });
}

float reduce_strided(int32_t op, const Rows<1>& reduced, const float* x) {
  float top = -kInfinity;
  double sum = 0;
  int64_t n = 0;
  const auto visit = [&](auto f) {
    reduced.each([&](const auto& at, int64_t length, const auto& step) {
      for (int64_t i = 0; i < length; ++i) f(x[at[0] + i * step[0]]);
    });
  };
  if (op == RGM_SUM || op == RGM_MEAN) {
    visit([&](float v) { sum += v, ++n; });
    return static_cast<float>(op == RGM_MEAN ? sum / static_cast<double>(n) : sum);
  }
  visit([&](float v) { top = v != v || top < v ? v : top; });
  if (op == RGM_MAXIMUM || top == -kInfinity || top == kInfinity) return top;
  visit([&](float v) { sum += std::exp(v - top); });
  return top + static_cast<float>(std::log(sum));
}
}  // namespace

rgm_status reduce(rgm_queue* q, int32_t op, uint32_t axes, const rgm_view* x, const rgm_view* y) {
  return kernel(q, [&] {
    if (x->dtype != RGM_F32 || y->dtype != RGM_F32) unsupported("onednn: reduce of this element type");
    if (op < RGM_SUM || op > RGM_LOGSUMEXP) unsupported("onednn: unknown reduction");
    require(x->rank == y->rank, "reduce keeps the rank");
    const Split s = split(axes, *x, *y);
    const Rows<2> kept({&s.kept_x, &s.kept_y});
    const Rows<1> reduced({&s.reduced});
    const float* from = data<float>(*x);
    float* to = data<float>(*y);
    const VectorKernels& v = vector(q);
    const int64_t outputs = kept.size() * kept.length(), R = reduced.size() * reduced.length();
    if (outputs == 0) return;
    const bool columns = op != RGM_LOGSUMEXP && kept.step()[0] == 1 && kept.step()[1] == 1 && kept.length() >= 16;
    if (columns && R > 0)
      return kept.each(
          [&](const auto& at, int64_t n, const auto&) { reduce_columns(q, op, reduced, from + at[0], n, to + at[1]); });
    const bool row = reduced.size() == 1 && (reduced.step()[0] == 1 || R == 1);
    const int64_t length = std::max<int64_t>(kept.length(), 1);
    const auto one = [&](const float* a) { return row ? finish_row(v, op, a, R) : reduce_strided(op, reduced, a); };
    parallel(threads(q), outputs, std::max<int64_t>(1, kGrain / std::max<int64_t>(R, 1)),
             [&](int64_t begin, int64_t end, int) {
               int64_t first = begin / length * length;
               kept.each(begin / length, (end + length - 1) / length, [&](const auto& at, int64_t n, const auto& step) {
                 const int64_t lo = std::max<int64_t>(begin - first, 0), hi = std::min(end - first, n);
                 for (int64_t i = lo; i < hi; ++i) to[at[1] + i * step[1]] = one(from + at[0] + i * step[0]);
                 first += n;
               });
             });
  });
}

}  // namespace regimen::onednn
