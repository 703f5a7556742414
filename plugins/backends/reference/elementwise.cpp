// elementwise.cpp - fill, copy, unary and its gradient, binary, select: views of one shape, element by element.
// Integers with integers are computed in int64, everything else in float64.
#include "functions.hpp"
#include "kernels.hpp"
#include "numbers.hpp"

namespace regimen::reference {

rgm_status fill(rgm_queue*, double value, const rgm_view* y) {
  return guard([&] {
    with_type(y->dtype, [&](auto type) {
      const auto element = narrow<decltype(type)>(value);
      Rows<1>({y}).each([&](auto at, int64_t n, auto step) {
        auto* p = data<decltype(type)>(*y) + at[0];
        for (int64_t i = 0; i < n; ++i) p[i * step[0]] = element;
      });
    });
  });
}

rgm_status copy(rgm_queue*, const rgm_view* x, const rgm_view* y) {
  return guard([&] {
    with_type(x->dtype, [&](auto from) {
      with_type(y->dtype, [&](auto to) {
        using From = decltype(from);
        using To = decltype(to);
        Rows<2>({x, y}).each([&](auto at, int64_t n, auto step) {
          const From* in = data<const From>(*x) + at[0];
          To* out = data<To>(*y) + at[1];
          for (int64_t i = 0; i < n; ++i) {
            if constexpr (std::is_same_v<From, To>)
              out[i * step[1]] = in[i * step[0]];
            else
              out[i * step[1]] = narrow<To>(widen(in[i * step[0]]));
          }
        });
      });
    });
  });
}

rgm_status unary(rgm_queue*, int32_t op, const rgm_view* x, const rgm_view* y) {
  return guard([&] {
    require_unary(op, "unary");
    double buffer[chunk];
    each_chunk<2>({x, y}, [&](auto at, int64_t n, auto step) {
      load(*x, at[0], n, step[0], buffer);
      for (int64_t i = 0; i < n; ++i) buffer[i] = function(op, buffer[i]);
      store(*y, at[1], n, step[1], buffer);
    });
  });
}

// dx = dy f'(x)
rgm_status unary_grad(rgm_queue*, int32_t op, const rgm_view* x, const rgm_view* dy, const rgm_view* dx) {
  return guard([&] {
    require_unary(op, "unary_grad");
    double in[chunk], gradient[chunk];
    each_chunk<3>({x, dy, dx}, [&](auto at, int64_t n, auto step) {
      load(*x, at[0], n, step[0], in);
      load(*dy, at[1], n, step[1], gradient);
      for (int64_t i = 0; i < n; ++i) gradient[i] *= derivative(op, in[i]);
      store(*dx, at[2], n, step[2], gradient);
    });
  });
}

namespace {

template <class W>
W divided(W a, W b) {
  if constexpr (std::is_integral_v<W>)
    return b == 0 ? 0 : b == -1 ? static_cast<W>(0 - static_cast<uint64_t>(a)) : a / b;  // never traps
  else
    return a / b;
}

// MIN and MAX of a NaN and a number are NaN. Unsigned arithmetic wraps where int64 would overflow.
template <class W>
void apply(int32_t op, int64_t n, const W* a, const W* b, W* y) {
  using U = std::conditional_t<std::is_integral_v<W>, uint64_t, W>;
  const auto each = [&](auto f) {
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<W>(f(a[i], b[i]));
  };
  switch (op) {
    case RGM_ADD: return each([](W p, W q) { return static_cast<U>(p) + static_cast<U>(q); });
    case RGM_SUB: return each([](W p, W q) { return static_cast<U>(p) - static_cast<U>(q); });
    case RGM_MUL: return each([](W p, W q) { return static_cast<U>(p) * static_cast<U>(q); });
    case RGM_DIV: return each([](W p, W q) { return divided(p, q); });
    case RGM_MIN: return each([](W p, W q) { return p < q || p != p ? p : q; });
    case RGM_MAX: return each([](W p, W q) { return p > q || p != p ? p : q; });
    case RGM_LESS: return each([](W p, W q) { return p < q; });
    case RGM_LESS_EQUAL: return each([](W p, W q) { return p <= q; });
    case RGM_EQUAL: return each([](W p, W q) { return p == q; });
    default: unsupported("binary: operation " + std::to_string(op));
  }
}

template <class W>
void binary_as(int32_t op, const rgm_view& a, const rgm_view& b, const rgm_view& y) {
  W left[chunk], right[chunk];
  each_chunk<3>({&a, &b, &y}, [&](auto at, int64_t n, auto step) {
    load(a, at[0], n, step[0], left);
    load(b, at[1], n, step[1], right);
    apply(op, n, left, right, left);
    store(y, at[2], n, step[2], left);
  });
}

}  // namespace

rgm_status binary(rgm_queue*, int32_t op, const rgm_view* a, const rgm_view* b, const rgm_view* y) {
  return guard([&] {
    if (op < RGM_ADD || op > RGM_EQUAL) unsupported("binary: operation " + std::to_string(op));
    if (is_integer(*a) && is_integer(*b))
      binary_as<int64_t>(op, *a, *b, *y);
    else
      binary_as<double>(op, *a, *b, *y);
  });
}

// Copies elements, never computes with them: a NaN that is not chosen stays out.
rgm_status select(rgm_queue*, const rgm_view* c, const rgm_view* a, const rgm_view* b, const rgm_view* y) {
  return guard([&] {
    require(size_of(c->dtype) == 1, "select: the condition is BOOL");
    require(a->dtype == y->dtype && b->dtype == y->dtype, "select: a, b and y have one dtype");
    with_type(y->dtype, [&](auto type) {
      using T = decltype(type);
      Rows<4>({c, a, b, y}).each([&](auto at, int64_t n, auto step) {
        const uint8_t* condition = data<const uint8_t>(*c) + at[0];
        const T *yes = data<const T>(*a) + at[1], *no = data<const T>(*b) + at[2];
        T* out = data<T>(*y) + at[3];
        for (int64_t i = 0; i < n; ++i) out[i * step[3]] = condition[i * step[0]] ? yes[i * step[1]] : no[i * step[2]];
      });
    });
  });
}

}  // namespace regimen::reference
