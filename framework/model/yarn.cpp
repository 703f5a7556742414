// yarn.cpp - positions scaled by YaRN (Peng et al. 2023, arXiv 2309.00071): what turns often within the old context
// stays, what turns seldom is slowed down by the factor, and in between there is a ramp.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/family.hpp"

namespace rgm {

// The paper's section 3.4: the root of 1 / t.
double yarn_amplitude(double factor, double scale) { return 0.1 * scale * std::log(std::max(factor, 1.0)) + 1; }

std::vector<double> yarn_frequencies(const Rope& rope, int64_t channels) {
  const auto R = static_cast<double>(channels);
  // The pair, counted with fractions, that turns so often within the old context.
  const auto pair = [&](double turns) {
    const double context = static_cast<double>(rope.original_context);
    return R * std::log(context / (turns * 2 * std::numbers::pi)) / (2 * std::log(rope.base));
  };
  double begin = pair(rope.fast), end = pair(rope.slow);
  if (rope.whole_pairs) begin = std::floor(begin), end = std::ceil(end);
  begin = std::max(begin, 0.0), end = std::min(end, R - 1);
  if (begin == end) end += 0.001;  // a step, as in transformers
  std::vector<double> out;
  for (int64_t i = 0; i < channels / 2; ++i) {
    const auto at = static_cast<double>(i);
    const double slowed = std::clamp((at - begin) / (end - begin), 0.0, 1.0), plain = std::pow(rope.base, -2 * at / R);
    out.push_back(plain * (1 - slowed + slowed / rope.factor));
  }
  return out;
}

}  // namespace rgm
