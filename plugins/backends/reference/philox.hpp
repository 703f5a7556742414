// philox.hpp - Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) as `random` and
// the dropout of attention read it: element i of a draw is word i % 4 of the block counter + i / 4.
#pragma once
#include <array>
#include <cstdint>

#include "numbers.hpp"

namespace regimen::reference {

class Philox {
 public:
  using Block = std::array<uint32_t, 4>;

  explicit Philox(const rgm_view& key) {  // (6) I32: two words of key, four of counter, low first
    require(key.rank == 1 && key.shape[0] == 6 && key.dtype == RGM_I32, "a random key is six I32");
    const auto word = [&](int64_t i) { return static_cast<uint32_t>(data<const int32_t>(key)[i * key.stride[0]]); };
    for (size_t i = 0; i < 2; ++i) key_[i] = word(static_cast<int64_t>(i));
    for (size_t i = 0; i < 4; ++i) counter_[i] = word(static_cast<int64_t>(i) + 2);
  }

  uint32_t word(uint64_t element) {
    if (const uint64_t block = element / 4; !known_ || block != number_) {
      known_ = true;
      number_ = block;
      block_ = rounds(plus(block));
    }
    return block_[element % 4];
  }
  double uniform(uint64_t element) { return (word(element) >> 8) * 0x1p-24; }

 private:
  Block plus(uint64_t n) const {
    Block c = counter_;
    for (uint32_t& word : c) {
      n += word;  // the carry stays in the upper half: n is below 2^63 / 4
      word = static_cast<uint32_t>(n);
      n >>= 32;
    }
    return c;
  }
  Block rounds(Block c) const {
    uint32_t k0 = key_[0], k1 = key_[1];
    for (int round = 0; round < 10; ++round) {
      const uint64_t a = uint64_t{0xD2511F53} * c[0], b = uint64_t{0xCD9E8D57} * c[2];
      c = {static_cast<uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(b),
           static_cast<uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(a)};
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    return c;
  }

  std::array<uint32_t, 2> key_{};
  Block counter_{}, block_{};
  uint64_t number_ = 0;
  bool known_ = false;
};

}  // namespace regimen::reference
