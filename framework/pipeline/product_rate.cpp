// product_rate.cpp - times the product that a transformer spends most of its time with.
#include "pipeline/product_rate.hpp"

#include <chrono>

#include "tensor/ops.hpp"

namespace rgm {

double product_rate(Device& device, int64_t channels) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t rows = 512;
  const NoGradient still;
  const Tensor x = ops::full({rows, channels}, 0.5), w = ops::full({channels, 4 * channels}, 0.25);
  const double operations = 2.0 * rows * static_cast<double>(channels) * 4.0 * static_cast<double>(channels);
  static_cast<void>(ops::matmul(x, false, w, false));  // the first one may set things up
  device.wait();
  const auto start = Clock::now();
  double seconds = 0;
  int64_t n = 0;
  while (seconds < 0.2 && n < 1000) {
    static_cast<void>(ops::matmul(x, false, w, false));
    device.wait();
    ++n;
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return operations * static_cast<double>(n) / seconds;
}

}  // namespace rgm
