// agreement.cpp - counts the pairs that two rankings order alike, and those that either ties.
#include "rank/agreement.hpp"

#include <cmath>

#include "base/error.hpp"

namespace rgm::rank {

std::optional<double> tau_b(std::span<const int> a, std::span<const int> b) {
  require(a.size() == b.size(), "rankings of {} and of {} answers", a.size(), b.size());
  double alike = 0, in_a = 0, in_b = 0;  // the last two: pairs that are no ties there
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = i + 1; j < a.size(); ++j) {
      const int x = (a[i] > a[j]) - (a[i] < a[j]), y = (b[i] > b[j]) - (b[i] < b[j]);
      alike += x * y;
      in_a += x != 0, in_b += y != 0;
    }
  if (in_a == 0 || in_b == 0) return std::nullopt;
  return alike / std::sqrt(in_a * in_b);
}

}  // namespace rgm::rank
