// report_axis.hpp - an axis: what it spans, where its ticks are, where a value lies on it.
#pragma once
#include <string>
#include <vector>

namespace rgm::report {

struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;
  bool has_zero = false;  // a logarithmic one: its low edge stands for 0
  std::vector<double> ticks;

  double place(double value) const;      // 0 at low, 1 at high, beyond that outside
  std::string label(double tick) const;  // with the digits that tell this axis' ticks apart
};

// Spans [low, high] and a little air; about `wanted` ticks at 1, 2 or 5 times a power of ten. Positive values that
// differ by more than `log_ratio` get a logarithmic axis.
Axis make_axis(double low, double high, int wanted, double log_ratio);
// From low to high exactly, ticks at whole numbers.
Axis step_axis(double low, double high, int wanted);

}  // namespace rgm::report
