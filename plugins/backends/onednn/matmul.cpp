// matmul.cpp - from views of any strides to plain products: transposed results swap the operands, what has no unit
// stride is copied, batches fold into rows or spread over the threads.
#include "kernels.hpp"
#include "products.hpp"

namespace regimen::onednn {
namespace {
struct Operand {  // the last two axes
  rgm_view view;
  int64_t rows, columns, row, column;  // sizes, strides

  explicit Operand(const rgm_view& v) : view(v) { read(); }
  void read() {
    const int32_t r = view.rank;
    rows = view.shape[r - 2], columns = view.shape[r - 1];
    row = view.stride[r - 2], column = view.stride[r - 1];
  }
  void transpose() {
    const int32_t r = view.rank;
    std::swap(view.shape[r - 2], view.shape[r - 1]);
    std::swap(view.stride[r - 2], view.stride[r - 1]);
    read();
  }
  bool plain() const { return (column == 1 || columns == 1) && (row >= columns || rows == 1); }
  bool transposed() const { return (row == 1 || rows == 1) && (column >= rows || columns == 1); }
  // With one column or row the other stride means nothing, but the library still checks it.
  int64_t leading(bool t) const { return t ? std::max(column, rows) : std::max(row, columns); }
};

rgm_view row_major(const rgm_view& like, rgm_dtype dtype, void* memory) {
  rgm_view v = like;
  v.dtype = dtype;
  v.data = memory;
  int64_t step = 1;
  for (int32_t i = v.rank; i-- > 0; step *= v.shape[i]) v.stride[i] = step;
  return v;
}

// A float32 or same-typed copy without gaps; axes of the batch that repeat stay so.
void tidy(rgm_queue* q, Operand& x, rgm_dtype dtype, Scratch::Slot slot) {
  rgm_view once = x.view;
  for (int32_t i = 0; i + 2 < once.rank; ++i)
    if (once.stride[i] == 0) once.shape[i] = 1;
  const size_t bytes = static_cast<size_t>(count(once)) * size_of(dtype);
  rgm_view copy = row_major(once, dtype, q->scratch.bytes(slot, bytes));
  convert(q, once, copy);
  for (int32_t i = 0; i + 2 < once.rank; ++i) {
    if (once.shape[i] != x.view.shape[i]) copy.stride[i] = 0;
    copy.shape[i] = x.view.shape[i];
  }
  x = Operand(copy);
}

rgm_view batch_axes(const rgm_view& v) {
  rgm_view b = v;
  b.rank -= 2;
  return b;
}

const void* advance(const void* p, int64_t elements, rgm_dtype dtype) {
  return static_cast<const char*>(p) + elements * static_cast<int64_t>(size_of(dtype));
}

void run(rgm_queue* q, float alpha, const Operand& a, const Operand& b, float beta, const Operand& y) {
  const rgm_dtype type = a.view.dtype;
  const bool ta = !a.plain(), tb = !b.plain();
  Operands g{y.rows,
             y.columns,
             a.columns,
             a.view.data,
             a.leading(ta),
             ta,
             b.view.data,
             b.leading(tb),
             tb,
             data<float>(y.view),
             y.leading(false),
             alpha,
             beta,
             type == RGM_BF16,
             b.view.dtype != type};
  const rgm_view aa = batch_axes(a.view), bb = batch_axes(b.view), yy = batch_axes(y.view);
  const Rows<3> batch({&aa, &bb, &yy});
  const int64_t n = batch.size() * batch.length();
  if (n <= 1) return gemm(q, g);
  const auto& step = batch.step();
  if (batch.size() == 1 && step[1] == 0 && !ta && step[0] == g.M * g.lda && step[2] == g.M * g.ldc) {
    g.M *= n;
    return gemm(q, g);
  }
  const auto one = [&](const auto& at, int64_t i) {
    Operands each = g;
    each.a = advance(g.a, at[0] + i * step[0], type);
    each.b = advance(g.b, at[1] + i * step[1], type);
    each.c = g.c + at[2] + i * step[2];
    return each;
  };
  const int64_t work = g.M * g.N * g.K, length = batch.length();
  if (g.bf16 || (work > (int64_t{1} << 24) && n < 4 * threads(q)))  // each is enough for the team
    return batch.each([&](const auto& at, int64_t count, const auto&) {
      for (int64_t i = 0; i < count; ++i) gemm(q, one(at, i));
    });
  parallel(threads(q), n, std::max<int64_t>(1, 262144 / work), [&](int64_t begin, int64_t end, int) {
    int64_t first = begin / length * length;
    batch.each(begin / length, (end + length - 1) / length, [&](const auto& at, int64_t count, const auto&) {
      const int64_t lo = std::max<int64_t>(begin - first, 0), hi = std::min(end - first, count);
      for (int64_t i = lo; i < hi; ++i) gemm_alone(q, one(at, i));
      first += count;
    });
  });
}
}  // namespace

void multiply(rgm_queue* q, double alpha, const rgm_view& va, const rgm_view& vb, double beta, const rgm_view& vy) {
  require(va.rank >= 2 && va.rank == vb.rank && va.rank == vy.rank, "matmul: a, b and y have one rank, at least 2");
  Operand a(va), b(vb), y(vy);
  require(a.columns == b.rows && a.rows == y.rows && b.columns == y.columns, "matmul: shapes do not fit");
  for (int32_t i = 0; i + 2 < vy.rank; ++i)
    require(va.shape[i] == vy.shape[i] && vb.shape[i] == vy.shape[i], "matmul: batches differ");
  if (vy.dtype != RGM_F32) unsupported("onednn: matmul gives float32");
  for (const rgm_dtype t : {va.dtype, vb.dtype})
    if (t != RGM_F32 && t != RGM_BF16 && t != RGM_F16) unsupported("onednn: matmul of this element type");
  if (count(vy) == 0) return;
  if (a.columns == 0) {
    const float zero = 0;
    rgm_view none = vy;
    none.data = const_cast<float*>(&zero);
    std::fill_n(none.stride, none.rank, int64_t{0});
    return beta == 0 ? convert(q, none, vy) : void();
  }
  if (!y.plain() && y.transposed()) {  // y^T = b^T a^T
    std::swap(a, b);
    a.transpose(), b.transpose(), y.transpose();
  }
  const rgm_dtype type =
      va.dtype == RGM_BF16 && vb.dtype == RGM_BF16 && alpha == 1 && gemm_takes_bf16() ? RGM_BF16 : RGM_F32;
  // A matrix in bfloat16 beside float32 is not written down as float32.
  const bool narrow = vy.rank == 2 && a.view.dtype == RGM_F32 && b.view.dtype == RGM_BF16;
  const rgm_dtype of_b = narrow ? RGM_BF16 : type;
  if (a.view.dtype != type || !(a.plain() || a.transposed())) tidy(q, a, type, Scratch::kCopyA);
  if (b.view.dtype != of_b || !(b.plain() || b.transposed())) tidy(q, b, of_b, Scratch::kCopyB);
  const bool in_place = y.view.data == a.view.data || y.view.data == b.view.data;
  if (y.plain() && !in_place) return run(q, static_cast<float>(alpha), a, b, static_cast<float>(beta), y);
  const int64_t n = count(y.view);
  const Operand result(row_major(y.view, RGM_F32, q->scratch.floats(Scratch::kCopyY, n)));
  if (beta != 0) convert(q, y.view, result.view);
  run(q, static_cast<float>(alpha), a, b, static_cast<float>(beta), result);
  convert(q, result.view, y.view);
}

rgm_status matmul(rgm_queue* q, double alpha, const rgm_view* a, const rgm_view* b, double beta, const rgm_view* y) {
  return kernel(q, [&] { multiply(q, alpha, *a, *b, beta, *y); });
}

}  // namespace regimen::onednn
