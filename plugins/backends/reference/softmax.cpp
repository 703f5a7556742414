// softmax.cpp - softmax along an axis, its gradient, and cumsum: kernels that treat one line of the axis at a time.
// y = exp(x - max x) / sum of that; dx = y (dy - sum of dy y).
#include "kernels.hpp"
#include "numbers.hpp"

namespace regimen::reference {
namespace {

// body(offsets of the first element of a line) for every line along `axis`
template <size_t N, class F>
void each_line(int32_t axis, const std::array<const rgm_view*, N>& views, F&& body) {
  std::array<rgm_view, N> rest{};
  std::array<const rgm_view*, N> pointers{};
  for (size_t k = 0; k < N; ++k) {
    require(same_shape(*views[k], *views[0]), "views of different shapes");
    rest[k] = without_axis(*views[k], axis);
    pointers[k] = &rest[k];
  }
  Rows<N>(pointers).each([&](auto at, int64_t n, auto step) {
    for (int64_t i = 0; i < n; ++i) {
      body(at);
      for (size_t k = 0; k < N; ++k) at[k] += step[k];
    }
  });
}

}  // namespace

rgm_status softmax(rgm_queue*, int32_t axis, const rgm_view* x, const rgm_view* y) {
  return guard([&] {
    require_axis(axis, *x, "softmax");
    const int64_t n = x->shape[axis];
    std::vector<double> line(static_cast<size_t>(n));
    each_line<2>(axis, {x, y}, [&](auto at) {
      load(*x, at[0], n, x->stride[axis], line.data());
      double largest = -std::numeric_limits<double>::infinity(), sum = 0;
      for (double v : line) largest = std::max(largest, v);
      for (double& v : line) sum += v = std::exp(v - largest);
      for (double& v : line) v /= sum;
      store(*y, at[1], n, y->stride[axis], line.data());
    });
  });
}

rgm_status softmax_grad(rgm_queue*, int32_t axis, const rgm_view* y, const rgm_view* dy, const rgm_view* dx) {
  return guard([&] {
    require_axis(axis, *y, "softmax_grad");
    const int64_t n = y->shape[axis];
    std::vector<double> line(static_cast<size_t>(n)), gradient(line);
    each_line<3>(axis, {y, dy, dx}, [&](auto at) {
      load(*y, at[0], n, y->stride[axis], line.data());
      load(*dy, at[1], n, dy->stride[axis], gradient.data());
      double sum = 0;
      for (size_t i = 0; i < line.size(); ++i) sum += line[i] * gradient[i];
      for (size_t i = 0; i < line.size(); ++i) gradient[i] = line[i] * (gradient[i] - sum);
      store(*dx, at[2], n, dx->stride[axis], gradient.data());
    });
  });
}

rgm_status cumsum(rgm_queue*, int32_t axis, const rgm_view* x, const rgm_view* y) {
  return guard([&] {
    require_axis(axis, *x, "cumsum");
    const int64_t n = x->shape[axis];
    std::vector<double> line(static_cast<size_t>(n));
    each_line<2>(axis, {x, y}, [&](auto at) {
      load(*x, at[0], n, x->stride[axis], line.data());
      double sum = 0;
      for (double& v : line) v = sum += v;
      store(*y, at[1], n, y->stride[axis], line.data());
    });
  });
}

}  // namespace regimen::reference
