// elementwise.cu - fill, copy, unary and its gradient, binary, select. Views without gaps go eight elements a thread;
// everything else is found by its strides. Integers with integers are computed in int64, all else in float32.
#include "functions.cuh"
#include "kernels.hpp"

namespace regimen::cudnn {
namespace {

struct Fill {
  Any y;
  double value;
  __device__ void operator()(int64_t, const int64_t (&at)[1]) const { y.put(at[0], value); }
};

template <class T>
struct Move {  // the same bytes
  const T* x;
  T* y;
  __device__ void operator()(int64_t, const int64_t (&at)[2]) const { y[at[1]] = x[at[0]]; }
};
struct Convert {
  Any x, y;
  bool integers;
  __device__ void operator()(int64_t, const int64_t (&at)[2]) const {
    integers ? y.put(at[1], x.integer(at[0])) : y.put(at[1], x.number(at[0]));
  }
};
struct Unary {
  Any x, y;
  int op;
  __device__ void operator()(int64_t, const int64_t (&at)[2]) const { y.put(at[1], function(op, x.number(at[0]))); }
};
struct UnaryGrad {
  Any x, dy, dx;
  int op;
  __device__ void operator()(int64_t, const int64_t (&at)[3]) const {
    dx.put(at[2], dy.number(at[1]) * derivative(op, x.number(at[0])));
  }
};
struct Binary {
  Any a, b, y;
  int op;
  bool integers;
  __device__ void operator()(int64_t, const int64_t (&at)[3]) const {
    if (integers)
      y.put(at[2], combine(op, a.integer(at[0]), b.integer(at[1])));
    else
      y.put(at[2], combine(op, a.number(at[0]), b.number(at[1])));
  }
};
template <class T>
struct Select {
  const uint8_t* c;
  const T *a, *b;
  T* y;
  __device__ void operator()(int64_t, const int64_t (&at)[4]) const { y[at[3]] = c[at[0]] ? a[at[1]] : b[at[2]]; }
};

constexpr int wide = 8;

// y = f(a, b) over lines of n elements without gaps, `lines` of them apart; one_b repeats one element.
struct Lines {
  int64_t n, lines, a, b, y;
  bool one_b;
};
template <class A, class B, class Y, class F>
__global__ void flat_kernel(const A* a, const B* b, Y* y, Lines l, F f) {
  const int64_t n = l.n, i = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * wide;
  const bool one_b = l.one_b;
  a += blockIdx.y * l.a, b += blockIdx.y * l.b, y += blockIdx.y * l.y;
  if (i + wide <= n) {
    const Eight<A> left = *reinterpret_cast<const Eight<A>*>(a + i);
    Eight<B> right;
    if (one_b)
      for (int k = 0; k < wide; ++k) right.at[k] = b[0];
    else
      right = *reinterpret_cast<const Eight<B>*>(b + i);
    Eight<Y> out;
#pragma unroll
    for (int k = 0; k < wide; ++k) out.at[k] = from_float<Y>(f(to_float(left.at[k]), to_float(right.at[k])));
    *reinterpret_cast<Eight<Y>*>(y + i) = out;
  } else {
    for (int64_t k = i; k < n; ++k) y[k] = from_float<Y>(f(to_float(a[k]), to_float(b[one_b ? 0 : k])));
  }
}

struct First {
  __device__ float operator()(float a, float) const { return a; }
};
struct Function {
  int op;
  __device__ float operator()(float a, float) const { return function(op, a); }
};
struct TimesDerivative {
  int op;
  __device__ float operator()(float x, float dy) const { return dy * derivative(op, x); }
};
struct Combine {
  int op;
  __device__ float operator()(float a, float b) const { return combine(op, a, b); }
};

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

// The lines that three views have in common: one, or many where each begins at a multiple of `wide`. n is 0 where
// there are none.
Lines lines_of(const Axes<3>& axes) {
  const int last = axes.rank - 1;
  const auto& step = axes.stride;
  if (axes.rank < 1 || axes.rank > 2 || step[0][last] != 1 || step[2][last] != 1) return {};
  const bool one_b = axes.rank == 1 && step[1][0] == 0;
  if (step[1][last] != 1 && !one_b) return {};
  if (axes.rank == 1) return {axes.size[0], 1, 0, 0, 0, one_b};
  if (axes.size[1] % wide != 0 || axes.size[0] > UINT16_MAX) return {};
  for (const auto& s : step)
    if (s[0] % wide != 0) return {};
  return {axes.size[1], axes.size[0], step[0][0], step[1][0], step[2][0], false};
}

// True where it ran: all float32 or bfloat16, in lines, aligned.
template <class F>
bool flat(rgm_queue* q, const rgm_view& a, const rgm_view& b, const rgm_view& y, const Axes<3>& axes, F f) {
  const auto served = [](rgm_dtype d) { return d == RGM_F32 || d == RGM_BF16; };
  if (!served(a.dtype) || !served(b.dtype) || !served(y.dtype)) return false;
  if (axes.count == 0) return true;
  const Lines lines = lines_of(axes);
  if (lines.n == 0 || !aligned(a.data) || !aligned(y.data) || (!lines.one_b && !aligned(b.data))) return false;
  with_float(a.dtype, "flat", [&](auto ta) {
    with_float(b.dtype, "flat", [&](auto tb) {
      with_float(y.dtype, "flat", [&](auto ty) {
        using A = decltype(ta);
        using B = decltype(tb);
        using Y = decltype(ty);
        const int64_t blocks = (lines.n + wide * threads_in_block - 1) / (wide * threads_in_block);
        flat_kernel<A, B, Y, F>
            <<<dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(lines.lines)), threads_in_block, 0,
               q->stream>>>(data<const A>(a), data<const B>(b), data<Y>(y), lines, f);
      });
    });
  });
  return true;
}

template <class F>
void with_size(size_t size, F&& body) {
  switch (size) {
    case 1: return body(uint8_t{});
    case 2: return body(uint16_t{});
    case 4: return body(uint32_t{});
    default: return body(uint64_t{});
  }
}

}  // namespace

rgm_status fill(rgm_queue* q, double value, const rgm_view* y) {
  return kernel(q, "fill", [&] {
    const Axes<1> axes = axes_of<1>({y});
    if (value == 0 && axes.rank <= 1 && (axes.rank == 0 || axes.stride[0][0] == 1) && axes.count > 0)
      check_cuda(cudaMemsetAsync(y->data, 0, static_cast<size_t>(axes.count) * size_of(y->dtype), q->stream), "fill");
    else
      each<1>(q, axes, Fill{any(*y), value});
  });
}

rgm_status copy(rgm_queue* q, const rgm_view* x, const rgm_view* y) {
  return kernel(q, "copy", [&] {
    const Axes<2> axes = axes_of<2>({x, y});
    if (axes.count == 0) return;
    if (x->dtype == y->dtype) {
      if (axes.rank == 1 && axes.stride[0][0] == 1 && axes.stride[1][0] == 1)
        return check_cuda(cudaMemcpyAsync(y->data, x->data, static_cast<size_t>(axes.count) * size_of(x->dtype),
                                          cudaMemcpyDeviceToDevice, q->stream),
                          "copy");
      return with_size(size_of(x->dtype), [&](auto t) {
        using T = decltype(t);
        // Rows of a multiple of 16 bytes move in pieces of that size.
        const int last = axes.rank - 1;
        constexpr int64_t many = static_cast<int64_t>(sizeof(uint4) / sizeof(T));
        bool pieces = last >= 0 && axes.stride[0][last] == 1 && axes.stride[1][last] == 1 &&
                      axes.size[last] % many == 0 && aligned(x->data) && aligned(y->data);
        for (int a = 0; pieces && a < last; ++a)
          pieces = axes.stride[0][a] % many == 0 && axes.stride[1][a] % many == 0;
        if (!pieces) return each<2>(q, axes, Move<T>{data<const T>(*x), data<T>(*y)});
        Axes<2> shorter = axes;
        shorter.count /= many, shorter.size[last] /= many;
        for (int a = 0; a < last; ++a) shorter.stride[0][a] /= many, shorter.stride[1][a] /= many;
        each<2>(q, shorter, Move<uint4>{data<const uint4>(*x), data<uint4>(*y)});
      });
    }
    if (flat(q, *x, *x, *y, axes_of<3>({x, x, y}), First{})) return;
    each<2>(q, axes, Convert{any(*x), any(*y), !is_float(x->dtype) && !is_float(y->dtype)});
  });
}

rgm_status unary(rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* y) {
  return kernel(q, "unary", [&] {
    require_unary(op, "unary");
    if (flat(q, *x, *x, *y, axes_of<3>({x, x, y}), Function{op})) return;
    each<2>(q, axes_of<2>({x, y}), Unary{any(*x), any(*y), op});
  });
}

rgm_status unary_grad(rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* dy, const rgm_view* dx) {
  return kernel(q, "unary_grad", [&] {
    require_unary(op, "unary_grad");
    const Axes<3> axes = axes_of<3>({x, dy, dx});
    if (!flat(q, *x, *dy, *dx, axes, TimesDerivative{op})) each<3>(q, axes, UnaryGrad{any(*x), any(*dy), any(*dx), op});
  });
}

rgm_status binary(rgm_queue* q, int32_t op, const rgm_view* a, const rgm_view* b, const rgm_view* y) {
  return kernel(q, "binary", [&] {
    if (op < RGM_ADD || op > RGM_EQUAL) unsupported("binary: operation " + std::to_string(op));
    const Axes<3> axes = axes_of<3>({a, b, y});
    if (flat(q, *a, *b, *y, axes, Combine{op})) return;
    each<3>(q, axes, Binary{any(*a), any(*b), any(*y), op, !is_float(a->dtype) && !is_float(b->dtype)});
  });
}

// Copies elements, never computes with them: a NaN that is not chosen stays out.
rgm_status select(rgm_queue* q, const rgm_view* c, const rgm_view* a, const rgm_view* b, const rgm_view* y) {
  return kernel(q, "select", [&] {
    require(size_of(c->dtype) == 1, "select: the condition is BOOL");
    require(a->dtype == y->dtype && b->dtype == y->dtype, "select: a, b and y have one dtype");
    with_size(size_of(y->dtype), [&](auto t) {
      using T = decltype(t);
      each<4>(q, axes_of<4>({c, a, b, y}),
              Select<T>{data<const uint8_t>(*c), data<const T>(*a), data<const T>(*b), data<T>(*y)});
    });
  });
}

}  // namespace regimen::cudnn
