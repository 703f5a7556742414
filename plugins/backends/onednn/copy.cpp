// copy.cpp - fill, and copy with conversion: between any two element types and layouts.
#include "kernels.hpp"
#include "types.hpp"

namespace regimen::onednn {
namespace {
template <class To, class From>
void copy_row(const From* x, int64_t x_step, To* y, int64_t y_step, int64_t n) {
  if (x_step == 1 && y_step == 1) {
    if constexpr (std::is_same_v<To, From>) {
      if (static_cast<const void*>(x) != y) std::memmove(static_cast<void*>(y), x, static_cast<size_t>(n) * sizeof(To));
    } else {
      for (int64_t i = 0; i < n; ++i) y[i] = convert_to<To>(x[i]);
    }
    return;
  }
  for (int64_t i = 0; i < n; ++i) y[i * y_step] = convert_to<To>(x[i * x_step]);
}

template <class To, class From>
void copy_as(rgm_queue* q, const rgm_view& x, const rgm_view& y) {
  over(q, Rows<2>({&x, &y}), [&](const auto& at, int64_t n, const auto& step) {
    copy_row(data<From>(x) + at[0], step[0], data<To>(y) + at[1], step[1], n);
  });
}
}  // namespace

void convert(rgm_queue* q, const rgm_view& x, const rgm_view& y) {
  if (x.dtype == y.dtype)
    return with_size(x.dtype, [&](auto word) { copy_as<decltype(word), decltype(word)>(q, x, y); });
  with_type(x.dtype,
            [&](auto from) { with_type(y.dtype, [&](auto to) { copy_as<decltype(to), decltype(from)>(q, x, y); }); });
}

rgm_status copy(rgm_queue* q, const rgm_view* x, const rgm_view* y) {
  return kernel(q, [&] { convert(q, *x, *y); });
}

rgm_status fill(rgm_queue* q, double value, const rgm_view* y) {
  return kernel(q, [&] {
    with_type(y->dtype, [&](auto type) {
      using T = decltype(type);
      const T v = convert_to<T>(value);
      over(q, Rows<1>({y}), [&](const auto& at, int64_t n, const auto& step) {
        T* row = data<T>(*y) + at[0];
        if (step[0] == 1 && value == 0)  // gradients, mostly: the library has the fastest way for every size
          std::memset(static_cast<void*>(row), 0, static_cast<size_t>(n) * sizeof(T));
        else if (step[0] == 1)
          std::fill_n(row, n, v);
        else
          for (int64_t i = 0; i < n; ++i) row[i * step[0]] = v;
      });
    });
  });
}

}  // namespace regimen::onednn
