// sample.cpp - one token from logits. Tokens are sorted only as far as the draw needs them.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "generate/generate.hpp"

namespace rgm {
namespace {

// Tokens in falling order of their logits, equal ones by id; sorted in pieces that grow.
class Falling {
 public:
  explicit Falling(std::span<const float> logits) : logits_(logits), ids_(logits.size()) {
    std::iota(ids_.begin(), ids_.end(), 0);
  }
  int32_t operator[](size_t i) {
    while (i >= sorted_) {
      const size_t end = std::min(ids_.size(), std::max<size_t>(64, 8 * sorted_));
      const auto at = [&](size_t n) { return ids_.begin() + static_cast<std::ptrdiff_t>(n); };
      std::partial_sort(at(sorted_), at(end), ids_.end(), [&](int32_t a, int32_t b) {
        const float x = logits_[static_cast<size_t>(a)], y = logits_[static_cast<size_t>(b)];
        return x != y ? x > y : a < b;
      });
      sorted_ = end;
    }
    return ids_[i];
  }

 private:
  std::span<const float> logits_;
  std::vector<int32_t> ids_;
  size_t sorted_ = 0;
};

}  // namespace

int32_t sample(std::span<const float> logits, const Sampling& s, double uniform, float* logprob) {
  require(!logits.empty(), "a token cannot be drawn from no logits");
  const auto largest = std::max_element(logits.begin(), logits.end());  // the first of equal ones
  for (const float x : logits)
    if (std::isnan(x) || std::isinf(*largest)) failure("the model's logits are not finite: it cannot choose a token");
  const double scale = s.temperature > 0 ? 1 / s.temperature : 1;
  const auto weight = [&](int32_t id) {  // of the largest: 1
    return std::exp((static_cast<double>(logits[static_cast<size_t>(id)]) - *largest) * scale);
  };
  double total = 0;
  const auto V = static_cast<int32_t>(logits.size());
  for (int32_t id = 0; id < V; ++id) total += weight(id);
  const auto chosen = [&](int32_t id) {
    if (logprob)
      *logprob = static_cast<float>((static_cast<double>(logits[static_cast<size_t>(id)]) - *largest) * scale -
                                    std::log(total));
    return id;
  };
  if (s.temperature <= 0 || s.top_k == 1) return chosen(static_cast<int32_t>(largest - logits.begin()));

  Falling falling(logits);
  size_t allowed = s.top_k > 0 ? std::min(static_cast<size_t>(s.top_k), logits.size()) : logits.size();
  double mass = total;
  if (allowed < logits.size()) {
    mass = 0;
    for (size_t i = 0; i < allowed; ++i) mass += weight(falling[i]);
  }
  if (s.top_p < 1) {  // the fewest tokens that together have this part of what top_k left
    const double wanted = s.top_p * mass;
    mass = 0;
    size_t n = 0;
    while (n < allowed && (n == 0 || mass < wanted)) mass += weight(falling[n++]);
    allowed = n;
  }
  double reached = 0;
  for (size_t i = 0; i + 1 < allowed; ++i) {
    reached += weight(falling[i]);
    if (uniform * mass < reached) return chosen(falling[i]);
  }
  return chosen(falling[allowed - 1]);
}

}  // namespace rgm
