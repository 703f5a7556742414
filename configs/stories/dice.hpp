// dice.hpp - the chance in a story: the same numbers on every platform, because they are Philox and a modulo.
#pragma once
#include <cstdint>
#include <span>

#include "base/philox.hpp"

namespace rgm::stories {

class Dice {
 public:
  Dice(uint64_t seed, uint64_t story) : seed_(seed), story_(story) {}
  // 0 .. n - 1; n is small, so the modulo favours nobody by more than 2^-50
  size_t roll(size_t n) { return static_cast<size_t>(mix(seed_, story_, throws_++) % n); }
  template <class T>
  const T& pick(std::span<const T> from) {
    return from[roll(from.size())];
  }

 private:
  uint64_t seed_, story_;
  uint32_t throws_ = 0;
};

}  // namespace rgm::stories
