// advantage.hpp - how much better than expected something was, for methods that learn from scores. Works on numbers in
// host memory, as read() gives them; NaN is an answer without a score.
#pragma once
#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <vector>

#include "error.hpp"

namespace regimen RGM_PRIVATE {

struct Gae {
  std::vector<float> advantages, returns;
};
// Generalised advantage estimation (arXiv 1506.02438), over the steps of one answer; what follows the last is worth 0:
//   delta_t = r_t + gamma V_(t+1) - V_t,   A_t = delta_t + gamma lambda A_(t+1),   R_t = A_t + V_t
inline Gae gae(std::span<const float> rewards, std::span<const float> values, double gamma, double lambda) {
  Gae out{std::vector<float>(rewards.size()), std::vector<float>(rewards.size())};
  double running = 0, following = 0;
  for (size_t t = rewards.size(); t-- > 0;) {
    running = double(rewards[t]) + gamma * following - double(values[t]) + gamma * lambda * running;
    following = double(values[t]);
    out.advantages[t] = float(running);
    out.returns[t] = float(running + following);
  }
  return out;
}

struct Moments {
  double mean = 0, variance = 0;  // the unbiased variance, over n - 1; 0 of a single value
};
inline Moments moments(std::span<const float> x) {
  Moments out;
  for (const float v : x) out.mean += double(v);
  if (!x.empty()) out.mean /= double(x.size());  // divided once, at the end, so that equal values have variance 0
  for (const float v : x) out.variance += (double(v) - out.mean) * (double(v) - out.mean);
  out.variance = x.size() > 1 ? out.variance / double(x.size() - 1) : 0;
  return out;
}

// x becomes (x - mean) / sqrt(variance + 1e-8); with `shift` off the mean is added back.
inline void whiten(std::span<float> x, bool shift = true) {
  const Moments m = moments(x);
  for (float& v : x) v = float((double(v) - m.mean) / std::sqrt(m.variance + 1e-8) + (shift ? 0 : m.mean));
}

// For each value of `group`, the indices of its members that have a score.
inline std::map<int32_t, std::vector<size_t>> groups_of(std::span<const int32_t> group, std::span<const float> scores) {
  std::map<int32_t, std::vector<size_t>> out;
  for (size_t i = 0; i < group.size(); ++i)
    if (!std::isnan(scores[i])) out[group[i]].push_back(i);
  return out;
}

// False if no answer has a score: then a rollout returns {}, as there is nothing to learn from.
inline bool any_scored(std::span<const float> scores) {
  return std::any_of(scores.begin(), scores.end(), [](float s) { return !std::isnan(s); });
}

// The mean of those that are not NaN; 0 if all are.
inline double mean_of(std::span<const float> x) {
  double total = 0, n = 0;
  for (const float v : x)
    if (!std::isnan(v)) total += double(v), n += 1;
  return n > 0 ? total / n : 0;
}

}  // namespace regimen
