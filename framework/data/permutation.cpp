// permutation.cpp - a shuffle without a table: a Feistel network over Philox permutes the next power of four, and
// positions that leave [0, n) walk on along their cycle until they are back in (Black and Rogaway 2002).
#include <bit>

#include "base/philox.hpp"
#include "data/source.hpp"

namespace rgm {

int64_t permuted(int64_t position, int64_t n, uint64_t key) {
  require(position >= 0 && position < n, "a permutation of {} has no position {}", n, position);
  if (n == 1) return 0;
  const int half = (std::bit_width(static_cast<uint64_t>(n - 1)) + 1) / 2;
  const uint64_t mask = (uint64_t{1} << half) - 1;
  auto x = static_cast<uint64_t>(position);
  do {
    uint64_t left = x >> half, right = x & mask;
    for (uint32_t round = 0; round < 4; ++round) {
      const uint64_t next = left ^ (mix(key, right, round) & mask);
      left = right;
      right = next;
    }
    x = left << half | right;
  } while (x >= static_cast<uint64_t>(n));
  return static_cast<int64_t>(x);
}

}  // namespace rgm
