// philox.hpp - Philox4x32-10, the counter-based generator of every random number (Salmon et al., SC 2011): a block of
// four words is a pure function of key and counter, so nothing needs to be saved to continue.
#pragma once
#include <array>
#include <cstdint>

namespace rgm {

struct Philox {
  std::array<uint32_t, 2> key{};

  std::array<uint32_t, 4> operator()(std::array<uint32_t, 4> c) const {
    uint32_t k0 = key[0], k1 = key[1];
    auto [c0, c1, c2, c3] = c;
    for (int round = 0; round < 10; ++round) {
      const uint64_t a = uint64_t{0xD2511F53} * c0, b = uint64_t{0xCD9E8D57} * c2;
      c0 = static_cast<uint32_t>(b >> 32) ^ c1 ^ k0, c1 = static_cast<uint32_t>(b);
      c2 = static_cast<uint32_t>(a >> 32) ^ c3 ^ k1, c3 = static_cast<uint32_t>(a);
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    return {c0, c1, c2, c3};
  }
};

// One 64-bit word that depends on all four arguments: for shuffles, seeds of streams, and sampling.
inline uint64_t mix(uint64_t seed, uint64_t a, uint32_t b = 0, uint32_t c = 0) {
  const Philox philox{{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}};
  const auto w = philox({static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32), b, c});
  return uint64_t{w[1]} << 32 | w[0];
}
// [0, 1) with 53 bits
inline double unit(uint64_t word) { return static_cast<double>(word >> 11) * 0x1p-53; }

}  // namespace rgm
