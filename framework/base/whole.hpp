// whole.hpp - whole numbers from decimal shares, which no double holds exactly: 1 - 0.8 is a little less than 0.2, and
// yet 0.2 of 5 are 1.
#pragma once
#include <cmath>
#include <cstdint>

namespace rgm {

// More than rounding makes of anything up to 10^9, and less than anyone means.
inline constexpr double rounding = 1e-6;

inline int64_t rounded_down(double x) { return static_cast<int64_t>(std::floor(x + rounding)); }
inline int64_t rounded_up(double x) { return static_cast<int64_t>(std::ceil(x - rounding)); }

}  // namespace rgm
