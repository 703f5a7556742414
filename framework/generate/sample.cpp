// sample.cpp - one token from log-probabilities, as rgm_sample has it. Tokens are sorted only as far as the draw needs
// them.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include "generate/generate.hpp"

namespace rgm {
namespace {

constexpr size_t most_sorted = 64;  // beyond that a draw looks for the band that has it, instead of sorting on
constexpr size_t bands = 512;
constexpr float bands_per_nat = 16;
constexpr uint64_t one = uint64_t{1} << 40;  // a probability of 1: sums of whole numbers do not depend on their order

// The nearest whole number of x, even ones at ties, for 0 <= x < 2^52: a double of that size has no other digits.
uint64_t nearest(float x) {
  return std::bit_cast<uint64_t>(static_cast<double>(x) + 0x1p52) & ((uint64_t{1} << 52) - 1);
}

// What a probability counts, from its logarithm: see rgm_sample, which says each operation.
uint64_t count_of(float x) {
  if (!(x >= -30)) return 0;
  x = std::min(x, 0.0F);
  const float n = (x * 1.44269504F + 0x1.8p23F) - 0x1.8p23F;  // to the nearest whole number
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float q = 1.9875691500e-4F * r + 1.3981999507e-3F;
  q = q * r + 8.3334519073e-3F;
  q = q * r + 4.1665795894e-2F;
  q = q * r + 1.6666665459e-1F;
  q = q * r + 5.0000001201e-1F;
  const float p = (q * (r * r) + r) + 1;
  return nearest(p * std::bit_cast<float>((static_cast<int32_t>(n) + 40 + 127) << 23));
}

// The likelier one first; of equal ones the one with the smaller id.
struct Likelier {
  std::span<const float> logprobs;
  bool operator()(int32_t a, int32_t b) const {
    const float x = logprobs[static_cast<size_t>(a)], y = logprobs[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  }
};

// Tokens in falling order of their probability, equal ones by id; sorted in pieces that grow.
class Falling {
 public:
  explicit Falling(std::span<const float> logprobs) : logprobs_(logprobs), ids_(logprobs.size()) {
    std::iota(ids_.begin(), ids_.end(), 0);
  }
  size_t size() const { return ids_.size(); }
  uint64_t weight(int32_t id) const { return count_of(logprobs_[static_cast<size_t>(id)]); }
  int32_t operator[](size_t i) {
    while (i >= sorted_) {
      const size_t end = std::min(ids_.size(), std::max<size_t>(64, 8 * sorted_));
      std::partial_sort(at(sorted_), at(end), ids_.end(), Likelier{logprobs_});
      sorted_ = end;
    }
    return ids_[i];
  }

  // The token at which the sum of probabilities, in that order, passes `wanted`.
  int32_t reach(uint64_t wanted) {
    uint64_t reached = 0;
    for (size_t i = 0; i < std::min(most_sorted, size()); ++i) {
      reached += weight((*this)[i]);
      if (wanted < reached) return ids_[i];
    }
    // A flat distribution: which band of probabilities has it, and which token of that band.
    const float top = logprobs_[static_cast<size_t>((*this)[0])];
    const auto band_of = [&](size_t id) {
      return static_cast<size_t>(std::min((top - logprobs_[id]) * bands_per_nat, static_cast<float>(bands - 1)));
    };
    std::array<uint64_t, bands> mass{};
    for (size_t id = 0; id < size(); ++id) mass[band_of(id)] += weight(static_cast<int32_t>(id));
    reached = 0;
    size_t band = 0;
    while (band + 1 < bands && wanted >= reached + mass[band]) reached += mass[band++];
    while (band > 0 && mass[band] == 0) --band;  // behind the last one, by rounding
    std::vector<int32_t> own;
    for (size_t id = 0; id < size(); ++id)
      if (band_of(id) == band) own.push_back(static_cast<int32_t>(id));
    // In halves, down to a few.
    auto first = own.begin(), end = own.end();
    for (uint64_t rest = mass[band]; end - first > static_cast<std::ptrdiff_t>(most_sorted);) {
      const auto middle = first + (end - first) / 2;
      std::nth_element(first, middle, end, Likelier{logprobs_});
      uint64_t half = 0;
      for (auto at = first; at != middle; ++at) half += weight(*at);
      if (wanted < reached + half || half == rest)
        end = middle, rest = half;
      else
        first = middle, reached += half, rest -= half;
    }
    std::sort(first, end, Likelier{logprobs_});
    int32_t last = *first;  // that counts
    for (auto at = first; at != end && weight(*at) > 0; ++at) {
      last = *at;
      reached += weight(*at);
      if (wanted < reached) break;
    }
    return last;
  }

 private:
  std::vector<int32_t>::iterator at(size_t n) { return ids_.begin() + static_cast<std::ptrdiff_t>(n); }
  std::span<const float> logprobs_;
  std::vector<int32_t> ids_;
  size_t sorted_ = 0;
};

// How many tokens are likely enough for min_p, and their probability together.
std::pair<size_t, uint64_t> likely(std::span<const float> logprobs, float largest, double min_p) {
  const float least = largest + static_cast<float>(std::log(min_p));
  size_t count = 0;
  uint64_t mass = 0;
  for (const float x : logprobs)
    if (x >= least) ++count, mass += count_of(x);
  return {count, mass};
}

// How many of the first tokens may be drawn, and their probability together.
std::pair<size_t, uint64_t> allowed(Falling& falling, std::span<const float> logprobs, float largest,
                                    const Sampling& s) {
  size_t count = s.top_k > 0 ? std::min(static_cast<size_t>(s.top_k), falling.size()) : falling.size();
  uint64_t mass = one;
  if (count < falling.size()) {
    mass = 0;
    for (size_t i = 0; i < count; ++i) mass += falling.weight(falling[i]);
  }
  if (s.min_p > 0) {
    const auto [enough, together] = likely(logprobs, largest, s.min_p);
    // A draw from this sum reaches none but these: they need not be sorted to be found.
    if (s.top_p >= 1 && count == falling.size()) return {count, together};
    if (s.top_p >= 1 && enough < count) return {enough, together};
    count = std::min(count, enough);
  }
  if (s.top_p >= 1) return {count, mass};
  // The fewest tokens that together have this part of what top_k left.
  const double wanted = std::ceil(s.top_p * static_cast<double>(mass));
  mass = 0;
  size_t n = 0;
  while (n < count && (n == 0 || static_cast<double>(mass) < wanted)) mass += falling.weight(falling[n++]);
  return {n, mass};
}

}  // namespace

void no_token() { failure("the model's logits are not finite: it cannot choose a token"); }

int32_t sample(std::span<const float> logprobs, const Sampling& s, uint32_t draw) {
  require(!logprobs.empty(), "a token cannot be drawn from no logits");
  const auto largest = std::max_element(logprobs.begin(), logprobs.end());  // the first of equal ones
  if (std::isnan(logprobs[0]) || !std::isfinite(*largest)) no_token();
  if (s.temperature <= 0 || s.top_k == 1) return static_cast<int32_t>(largest - logprobs.begin());
  Falling falling(logprobs);
  const auto [count, mass] = allowed(falling, logprobs, *largest, s);
  const auto wanted = static_cast<uint64_t>(static_cast<unsigned __int128>(mass) * draw >> 32);
  if (count == falling.size()) return falling.reach(wanted);
  uint64_t reached = 0;
  for (size_t i = 0; i + 1 < count; ++i) {
    reached += falling.weight(falling[i]);
    if (wanted < reached) return falling[i];
  }
  return falling[mass == 0 ? 0 : count - 1];
}

}  // namespace rgm
