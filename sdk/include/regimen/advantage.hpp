// advantage.hpp - what was better than expected, for methods that learn from scores; on numbers in host memory.
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
// Generalised advantage estimation (arXiv 1506.02438); what follows the last value is worth 0:
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
  double mean = 0, variance = 0;  // the second without bias
};
inline Moments moments(std::span<const float> x) {
  Moments out;
  for (const float v : x) out.mean += double(v);
  if (!x.empty()) out.mean /= double(x.size());  // once, so that equal values have no variance
  for (const float v : x) out.variance += (double(v) - out.mean) * (double(v) - out.mean);
  out.variance = x.size() > 1 ? out.variance / double(x.size() - 1) : 0;
  return out;
}

// (x - mean) / sqrt(variance + 1e-8); the mean stays where it is with `shift` off.
inline void whiten(std::span<float> x, bool shift = true) {
  const Moments m = moments(x);
  for (float& v : x) v = float((double(v) - m.mean) / std::sqrt(m.variance + 1e-8) + (shift ? 0 : m.mean));
}

// The places of each group's members that have a score: NaN is no opinion.
inline std::map<int32_t, std::vector<size_t>> groups_of(std::span<const int32_t> group, std::span<const float> scores) {
  std::map<int32_t, std::vector<size_t>> out;
  for (size_t i = 0; i < group.size(); ++i)
    if (!std::isnan(scores[i])) out[group[i]].push_back(i);
  return out;
}

// Where none has a score, a rollout answers {}: there is nothing to learn from.
inline bool any_scored(std::span<const float> scores) {
  return std::any_of(scores.begin(), scores.end(), [](float s) { return !std::isnan(s); });
}

// Over those that are no NaN; 0 when all are.
inline double mean_of(std::span<const float> x) {
  double total = 0, n = 0;
  for (const float v : x)
    if (!std::isnan(v)) total += double(v), n += 1;
  return n > 0 ? total / n : 0;
}

}  // namespace regimen
