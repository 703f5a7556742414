// philox.cuh - Philox4x32-10 (Salmon et al., SC 2011): element i of a draw is word i % 4 of the block counter + i / 4.
#pragma once
#include <cstdint>

namespace regimen::cudnn {

struct PhiloxBlock {
  uint32_t word[4];
};
struct Philox {
  uint32_t key[2], counter[4];
  __device__ explicit Philox(const int32_t* words, int64_t stride = 1) {
    for (int i = 0; i < 2; ++i) key[i] = static_cast<uint32_t>(words[i * stride]);
    for (int i = 0; i < 4; ++i) counter[i] = static_cast<uint32_t>(words[(i + 2) * stride]);
  }
  __device__ PhiloxBlock block(uint64_t n) const {
    uint32_t c[4], k0 = key[0], k1 = key[1];
    for (int i = 0; i < 4; ++i) {
      n += counter[i];
      c[i] = static_cast<uint32_t>(n);
      n >>= 32;
    }
#pragma unroll
    for (int round = 0; round < 10; ++round) {
      const uint64_t a = uint64_t{0xD2511F53} * c[0], b = uint64_t{0xCD9E8D57} * c[2];
      const uint32_t c1 = c[1], c3 = c[3];
      c[0] = static_cast<uint32_t>(b >> 32) ^ c1 ^ k0;
      c[1] = static_cast<uint32_t>(b);
      c[2] = static_cast<uint32_t>(a >> 32) ^ c3 ^ k1;
      c[3] = static_cast<uint32_t>(a);
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    return {{c[0], c[1], c[2], c[3]}};
  }
  __device__ float uniform(uint64_t element) const {
    return static_cast<float>(block(element / 4).word[element % 4] >> 8) * 0x1p-24f;
  }
};

}  // namespace regimen::cudnn
