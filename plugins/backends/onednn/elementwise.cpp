// elementwise.cpp - unary, its gradient, binary and select. Rows without gaps go to the vector kernels directly, others
// through a small buffer.
#include "kernels.hpp"
#include "types.hpp"

namespace regimen::onednn {
namespace {
constexpr int64_t kBuffer = 512;

void require_type(const rgm_view& v, rgm_dtype dtype, const char* what) {
  if (v.dtype != dtype) unsupported(std::string("onednn: ") + what + " of this element type");
}

// The next n <= kBuffer elements of a row, without gaps; an element that repeats stays one with a step of 0.
const float* gathered(const float* x, int64_t step, int64_t n, float* buffer) {
  if (step == 1) return x;
  for (int64_t i = 0; i < n; ++i) buffer[i] = x[i * step];
  return buffer;
}
void scattered(const float* buffer, float* y, int64_t step, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i * step] = buffer[i];
}

template <class T>
T integer(int32_t op, T a, T b) {
  switch (op) {
    case RGM_ADD: return static_cast<T>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
    case RGM_SUB: return static_cast<T>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b));
    case RGM_MUL: return static_cast<T>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
    case RGM_DIV: return b == 0 ? 0 : b == -1 ? integer<T>(RGM_SUB, 0, a) : a / b;
    case RGM_MIN: return std::min(a, b);
    default: return std::max(a, b);
  }
}
template <class T>
bool compared(int32_t op, T a, T b) {
  return op == RGM_LESS ? a < b : op == RGM_LESS_EQUAL ? a <= b : a == b;
}

void binary_float(rgm_queue* q, int32_t op, const rgm_view& a, const rgm_view& b, const rgm_view& y) {
  const VectorKernels& v = vector(q);
  over(q, Rows<3>({&a, &b, &y}), [&](const auto& at, int64_t n, const auto& step) {
    const float *pa = data<float>(a) + at[0], *pb = data<float>(b) + at[1];
    float* py = data<float>(y) + at[2];
    const bool direct_a = step[0] == 0 || step[0] == 1, direct_b = step[1] == 0 || step[1] == 1;
    if (direct_a && direct_b && step[2] == 1) return v.binary(op, pa, step[0], pb, step[1], py, n);
    float ba[kBuffer], bb[kBuffer], by[kBuffer];
    for (int64_t i = 0; i < n; i += kBuffer) {
      const int64_t part = std::min(kBuffer, n - i);
      const float* ga = gathered(pa + i * step[0], step[0], part, ba);
      const float* gb = gathered(pb + i * step[1], step[1], part, bb);
      v.binary(op, ga, 1, gb, 1, by, part);
      scattered(by, py + i * step[2], step[2], part);
    }
  });
}

template <class In, class Out, class F>
void zip(rgm_queue* q, const rgm_view& a, const rgm_view& b, const rgm_view& y, F f) {
  over(q, Rows<3>({&a, &b, &y}), [&](const auto& at, int64_t n, const auto& step) {
    const In *pa = data<In>(a) + at[0], *pb = data<In>(b) + at[1];
    Out* py = data<Out>(y) + at[2];
    for (int64_t i = 0; i < n; ++i) py[i * step[2]] = f(pa[i * step[0]], pb[i * step[1]]);
  });
}
}  // namespace

rgm_status unary(rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* y) {
  return kernel(q, [&] {
    require_type(*x, RGM_F32, "unary"), require_type(*y, RGM_F32, "unary");
    if (op < RGM_NEG || op > RGM_GELU_ERF) unsupported("onednn: unknown unary operation");
    const VectorKernels& v = vector(q);
    over(q, Rows<2>({x, y}), [&](const auto& at, int64_t n, const auto& step) {
      const float* px = data<float>(*x) + at[0];
      float* py = data<float>(*y) + at[1];
      if (step[0] == 1 && step[1] == 1) return v.unary(op, px, py, n);
      float in[kBuffer], out[kBuffer];
      for (int64_t i = 0; i < n; i += kBuffer) {
        const int64_t part = std::min(kBuffer, n - i);
        v.unary(op, gathered(px + i * step[0], step[0], part, in), out, part);
        scattered(out, py + i * step[1], step[1], part);
      }
    });
  });
}

rgm_status unary_grad(rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* dy, const rgm_view* dx) {
  return kernel(q, [&] {
    for (const rgm_view* view : {x, dy, dx}) require_type(*view, RGM_F32, "unary_grad");
    if (op < RGM_NEG || op > RGM_GELU_ERF) unsupported("onednn: unknown unary operation");
    const VectorKernels& v = vector(q);
    over(q, Rows<3>({x, dy, dx}), [&](const auto& at, int64_t n, const auto& step) {
      const float *px = data<float>(*x) + at[0], *pd = data<float>(*dy) + at[1];
      float* out = data<float>(*dx) + at[2];
      if (step[0] == 1 && step[1] == 1 && step[2] == 1) return v.unary_grad(op, px, pd, out, n);
      float bx[kBuffer], bd[kBuffer], by[kBuffer];
      for (int64_t i = 0; i < n; i += kBuffer) {
        const int64_t part = std::min(kBuffer, n - i);
        const float* gx = gathered(px + i * step[0], step[0], part, bx);
        v.unary_grad(op, gx, gathered(pd + i * step[1], step[1], part, bd), by, part);
        scattered(by, out + i * step[2], step[2], part);
      }
    });
  });
}

rgm_status binary(rgm_queue* q, int32_t op, const rgm_view* a, const rgm_view* b, const rgm_view* y) {
  return kernel(q, [&] {
    if (op < RGM_ADD || op > RGM_EQUAL) unsupported("onednn: unknown binary operation");
    require_type(*b, a->dtype, "binary");
    const bool compares = op >= RGM_LESS;
    require_type(*y, compares ? RGM_BOOL : a->dtype, "binary");
    if (a->dtype == RGM_F32 && !compares) return binary_float(q, op, *a, *b, *y);
    if (a->dtype == RGM_F32)
      return zip<float, bool>(q, *a, *b, *y, [op](float u, float v) { return compared(op, u, v); });
    require_type(*a, RGM_I32, "binary");
    if (compares) return zip<int32_t, bool>(q, *a, *b, *y, [op](int32_t u, int32_t v) { return compared(op, u, v); });
    zip<int32_t, int32_t>(q, *a, *b, *y, [op](int32_t u, int32_t v) { return integer(op, u, v); });
  });
}

rgm_status select(rgm_queue* q, const rgm_view* c, const rgm_view* a, const rgm_view* b, const rgm_view* y) {
  return kernel(q, [&] {
    require_type(*a, y->dtype, "select"), require_type(*b, y->dtype, "select");
    if (size_of(c->dtype) != 1) unsupported("onednn: select wants conditions of one byte");
    with_size(y->dtype, [&](auto word) {
      using T = decltype(word);
      over(q, Rows<4>({c, a, b, y}), [&](const auto& at, int64_t n, const auto& step) {
        const uint8_t* pc = data<uint8_t>(*c) + at[0];
        const T *pa = data<T>(*a) + at[1], *pb = data<T>(*b) + at[2];
        T* py = data<T>(*y) + at[3];
        for (int64_t i = 0; i < n; ++i) py[i * step[3]] = pc[i * step[0]] ? pa[i * step[1]] : pb[i * step[2]];
      });
    });
  });
}

}  // namespace regimen::onednn
