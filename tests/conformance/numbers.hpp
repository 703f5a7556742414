// numbers.hpp - calls kernels of the reference on plain vectors: it lives in host memory, so a view can be put around
// anything.
#pragma once
#include <cmath>
#include <initializer_list>
#include <vector>

#include "loader.hpp"

namespace rgm::conformance {

using Floats = std::vector<float>;

inline rgm_view view_of(void* data, rgm_dtype dtype, std::initializer_list<int64_t> shape) {
  rgm_view v{data, dtype, static_cast<int32_t>(shape.size()), {}, {}};
  std::copy(shape.begin(), shape.end(), v.shape);
  for (int64_t i = v.rank, step = 1; i-- > 0; step *= v.shape[i]) v.stride[i] = step;
  return v;
}
inline rgm_view floats(Floats& data, std::initializer_list<int64_t> shape) {
  return view_of(data.data(), RGM_F32, shape);
}
inline rgm_view integers(std::vector<int32_t>& data, std::initializer_list<int64_t> shape) {
  return view_of(data.data(), RGM_I32, shape);
}

class Reference : public ::testing::Test {
 protected:
  // Deterministic numbers of size 1 without a pattern that a gradient could miss
  static Floats noise(size_t n, double phase = 0) {
    Floats out(n);
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<float>(std::sin(12.9898 * static_cast<double>(i + 1) + phase));
    return out;
  }
  static double dot(const Floats& a, const Floats& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
    return sum;
  }

  Backend backend_{"reference"};
  const rgm_kernels& k_ = backend_.kernels();
};

// Compares `gradient` of loss() by `x` with central differences. float32 outputs carry about 1e-7, so a step of 1e-2
// leaves 1e-5 of noise and 1e-4 of curvature.
template <class Loss>
void expect_gradient(Floats& x, const Floats& gradient, Loss loss, double tolerance = 2e-3) {
  constexpr float step = 1e-2f;
  for (size_t i = 0; i < x.size(); ++i) {
    const float before = x[i];
    x[i] = before + step;
    const double above = loss(), width_above = x[i];
    x[i] = before - step;
    const double below = loss(), width = width_above - x[i];
    x[i] = before;
    EXPECT_NEAR((above - below) / width, gradient[i], tolerance) << "element " << i;
  }
}

}  // namespace rgm::conformance
