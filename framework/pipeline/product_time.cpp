// product_time.cpp - products and reads that are timed by themselves.
#include "pipeline/product_time.hpp"

#include <algorithm>
#include <chrono>
#include <functional>

#include "tensor/kernel.hpp"
#include "tensor/ops.hpp"
#include "tensor/views.hpp"

namespace rgm {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t most_numbers = int64_t{64} << 20;  // of a weight

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// The best of calls. Short ones are timed several at once, or waiting would count more than they do.
double best_time(double budget, const std::function<void()>& call) {
  Device& device = current_device();
  const auto time = [&](int n) {
    const auto start = Clock::now();
    for (int i = 0; i < n; ++i) call();
    device.wait();
    return seconds_since(start) / n;
  };
  const double first = time(1);  // it may set things up
  const int n = static_cast<int>(std::clamp(0.001 / first, 1.0, 50.0));
  double best = first;
  const auto start = Clock::now();
  const auto goes_on = [&](int calls) { return seconds_since(start) < (calls < 3 ? 10 * budget : budget); };
  for (int calls = 0; goes_on(calls); ++calls) best = std::min(best, time(n));
  return best;
}

}  // namespace

ProductTime product_time(std::span<const ProductShape> shapes, int64_t rows_of_pass, bool backward, double seconds,
                         rgm_dtype dtype) {
  ProductTime out;
  for (const ProductShape& whole : shapes) {
    ProductShape s = whole;  // a very large weight is timed in part
    int64_t rows = rows_of_pass;
    if (s.experts > 0) {  // an even load: fewer rows at once, in more products
      rows = std::max<int64_t>(rows_of_pass * s.count / s.experts, 1);
      s.count = rows_of_pass * s.count / rows;
    }
    s.out = std::clamp<int64_t>(most_numbers / s.in, 1, s.out);
    const double parts = static_cast<double>(whole.out) / static_cast<double>(s.out);
    const Tensor x = ops::full({rows, s.in}, 0.5, dtype), w = ops::full({s.out, s.in}, 0.25, dtype),
                 y = ops::full({rows, s.out}, 1, dtype), dw = dtype == RGM_F32 ? w : ops::full({s.out, s.in}, 0);
    const rgm_view wt = views::transposed(w.view()), yt = views::transposed(y.view());
    const double each = 2.0 * static_cast<double>(rows) * static_cast<double>(s.in) * static_cast<double>(s.out);
    const auto product = [&](const rgm_view& a, const rgm_view& b, const rgm_view& c) {
      return best_time(seconds, [&] { kernel::matmul(1, a, b, 0, c); });
    };
    double time = product(x.view(), wt, y.view());
    if (backward) time += product(y.view(), w.view(), x.view()) + product(yt, x.view(), dw.view());
    out.operations += parts * each * static_cast<double>(s.count) * (backward ? 3 : 1);
    out.seconds += parts * time * static_cast<double>(s.count);
  }
  current_device().trim();
  return out;
}

ReadTest::ReadTest() : read_(ops::full({64, bytes / 4 / 64}, 1)), rows_(ops::full({64, 1}, 0)), squares_(false) {
  const rgm_kernels& k = kernel::table();
  if (!RGM_HAS(&k, sum_of_squares)) return;
  double best[2] = {1e9, 1e9};
  for (int i = 0; i < 6; ++i) {
    squares_ = i % 2 == 1;
    best[i % 2] = std::min(best[i % 2], seconds());
  }
  squares_ = best[1] < best[0];
}

double ReadTest::seconds() const {
  const auto start = Clock::now();
  if (squares_) {
    const rgm_view* const views[] = {&read_.view()};
    const rgm_view one = dense_view({}, RGM_F32, rows_.view().data);
    check_status(kernel::table().sum_of_squares(kernel::queue(), 1, views, &one));
  } else {
    kernel::reduce(RGM_SUM, 2, read_.view(), rows_.view());
  }
  current_device().wait();
  return seconds_since(start);
}

}  // namespace rgm
