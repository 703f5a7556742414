// report_axis.cpp - nice ticks, linear and logarithmic.
#include "train/report_axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "train/report_text.hpp"

namespace rgm::report {

namespace {

double nice_step(double rough) {
  const double magnitude = std::pow(10, std::floor(std::log10(rough)));
  const double lead = rough / magnitude;  // the nearest of 1, 2, 5, 10 by ratio
  return magnitude * (lead < 1.42 ? 1 : lead < 3.17 ? 2 : lead < 7.08 ? 5 : 10);
}

// Labels are narrow: 25k, 1.2M
std::string short_number(double x) {
  if (std::abs(x) >= 1e6 && std::abs(x) < 1e12) return number(x / 1e6) + "M";
  if (std::abs(x) >= 1e4 && std::abs(x) < 1e6) return number(x / 1e3) + "k";
  return number(x);
}

void add_linear_ticks(Axis& axis, int wanted, double least_step) {
  const double step = std::max(least_step, nice_step((axis.high - axis.low) / wanted));
  const double slack = (axis.high - axis.low) * 1e-9;
  const double first = std::ceil((axis.low - slack) / step);
  for (int i = 0; i <= 4 * wanted; ++i) {  // counted, as a number beyond 2^53 does not grow by adding 1
    const double k = first + i;
    if (k * step > axis.high + slack) break;
    axis.ticks.push_back(k == 0 ? 0 : k * step);
  }
}

void add_logarithmic_ticks(Axis& axis, int wanted) {
  const double decades = std::log10(axis.high / axis.low);
  const int first = static_cast<int>(std::floor(std::log10(axis.low))), last = first + static_cast<int>(decades) + 2;
  const int stride = std::max(1, static_cast<int>(std::lround(decades / wanted)));
  for (int power = first; power <= last; ++power)
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * std::pow(10, power);
      const bool kept = factor == 1 ? (power - first) % stride == 0 : decades * 3 <= wanted;
      if (kept && tick >= axis.low && tick <= axis.high) axis.ticks.push_back(tick);
    }
}

}  // namespace

double Axis::place(double value) const {
  if (!logarithmic) return (value - low) / (high - low);
  if (value <= 0) return has_zero && value == 0 ? 0 : -1;
  return std::log(value / low) / std::log(high / low);
}

std::string Axis::label(double tick) const {
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 0;
  if (logarithmic || step <= 0 || step < 1e-4) return short_number(tick);
  if (std::abs(tick) >= 1000) return short_number(tick);
  const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  std::string out = fmt::format("{:.{}f}", std::abs(tick), digits);
  return tick < 0 ? "\u2212" + out : out;
}

Axis make_axis(double low, double high, int wanted, double log_ratio) {
  if (!(high > low)) {  // a constant, or a single value
    const double air = low == 0 ? 1 : std::abs(low) * 0.1;
    return {.low = low - air, .high = low + air, .logarithmic = false, .ticks = {low}};
  }
  Axis axis;
  axis.logarithmic = low > 0 && high / low > log_ratio;
  if (axis.logarithmic) {
    const double air = std::pow(high / low, 0.05);
    axis.low = low / air;
    axis.high = high * air;
    add_logarithmic_ticks(axis, wanted);
    if (axis.ticks.size() >= 2) return axis;
    axis = {};
  }
  const double air = (high - low) * 0.06;
  axis.low = low >= 0 && low - air < 0 ? 0 : low - air;  // what is never negative has no axis below zero
  axis.high = high + air;
  add_linear_ticks(axis, wanted, 0);
  return axis;
}

Axis step_axis(double low, double high, int wanted) {
  Axis axis;
  axis.low = low;
  axis.high = high > low ? high : low + std::max(1.0, std::abs(low) * 1e-9);
  add_linear_ticks(axis, wanted, 1);
  return axis;
}

}  // namespace rgm::report
