// random.cpp - Philox4x32-10 (Salmon et al., SC 2011), as many blocks at once as a vector has lanes, and the numbers
// that kernels.h makes of its words.
#include "kernels.hpp"
#include "math.hpp"
#include "regimen/abi/tensor.h"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
typedef uint64_t Long __attribute__((vector_size(kLanes * 8)));

// Both halves of the 64-bit product.
ONEDNN_INLINE void multiply(uint64_t a, Word b, Word& high, Word& low) {
  const Long product = __builtin_convertvector(b, Long) * a;
  high = __builtin_convertvector(product >> 32, Word);
  low = __builtin_convertvector(product, Word);
}

// Words 0..3 of the kLanes blocks that start at `block`.
ONEDNN_INLINE void philox(const int32_t* key, uint64_t block, Word (&c)[4]) {
  uint32_t k0 = static_cast<uint32_t>(key[0]), k1 = static_cast<uint32_t>(key[1]);
  const uint64_t low = static_cast<uint32_t>(key[2]) | static_cast<uint64_t>(static_cast<uint32_t>(key[3])) << 32;
  const uint64_t high = static_cast<uint32_t>(key[4]) | static_cast<uint64_t>(static_cast<uint32_t>(key[5])) << 32;
  for (int i = 0; i < kLanes; ++i) {
    const uint64_t first = low + block + static_cast<uint64_t>(i), carried = high + (first < low ? 1 : 0);
    c[0][i] = static_cast<uint32_t>(first);
    c[1][i] = static_cast<uint32_t>(first >> 32);
    c[2][i] = static_cast<uint32_t>(carried);
    c[3][i] = static_cast<uint32_t>(carried >> 32);
  }
  for (int round = 0; round < 10; ++round) {
    Word h0, l0, h1, l1;
    multiply(0xD2511F53, c[0], h0, l0);
    multiply(0xCD9E8D57, c[2], h1, l1);
    c[0] = h1 ^ c[1] ^ k0;
    c[2] = h0 ^ c[3] ^ k1;
    c[1] = l1;
    c[3] = l0;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

ONEDNN_INLINE Vec fraction(Word w) { return __builtin_convertvector((Int)(w >> 8), Vec); }  // times 2^24

// cos and sin of 2 pi t for t in [0, 1): t is exact, so the nearest quarter turn comes off without error.
ONEDNN_INLINE void turn(Vec t, Vec& cosine, Vec& sine) {
  const Int quarter = __builtin_convertvector(t * 4.0f + 0.5f, Int);
  const Vec r = (t - __builtin_convertvector(quarter, Vec) * 0.25f) * 6.28318530717958648f, z = r * r;
  Vec s = splat(2.7557319e-6f), c = splat(2.4801587e-5f);
  s = s * z - 1.9841270e-4f;
  s = s * z + 8.3333333e-3f;
  s = s * z - 1.6666667e-1f;
  s = s * z * r + r;
  c = c * z - 1.3888889e-3f;
  c = c * z + 4.1666667e-2f;
  c = c * z - 0.5f;
  c = c * z + 1.0f;
  const Int swap = (quarter & 1) != 0;
  const Vec u = swap ? s : c, v = swap ? c : s;
  cosine = (((quarter + 1) & 2) != 0) ? -u : u;
  sine = ((quarter & 2) != 0) ? -v : v;
}

ONEDNN_INLINE void normal(Word w0, Word w1, Vec& a, Vec& b) {
  const Vec u = (fraction(w0) + 1.0f) * 0x1p-24f;
  const Vec r = sqrt(max(-2.0f * log(u), Vec{}));
  Vec c, s;
  turn(fraction(w1) * 0x1p-24f, c, s);
  a = r * c;
  b = r * s;
}
}  // namespace

void random(const int32_t* key, int32_t distribution, int64_t first, void* y, int64_t n) {
  uint32_t* out = static_cast<uint32_t*>(y);
  for (int64_t block = first / 4; block * 4 < first + n; block += kLanes) {
    Word c[4];
    philox(key, static_cast<uint64_t>(block), c);
    if (distribution == RGM_UNIFORM) {
      for (Word& w : c) w = (Word)(fraction(w) * 0x1p-24f);
    } else if (distribution == RGM_NORMAL) {
      Vec v[4];
      normal(c[0], c[1], v[0], v[1]);
      normal(c[2], c[3], v[2], v[3]);
      for (int k = 0; k < 4; ++k) c[k] = (Word)v[k];
    }
    uint32_t words[4][kLanes];
    __builtin_memcpy(words, c, sizeof words);
    for (int i = 0; i < kLanes; ++i)
      for (int k = 0; k < 4; ++k) {
        const int64_t at = (block + i) * 4 + k - first;
        if (at >= 0 && at < n) __builtin_memcpy(out + at, &words[k][i], 4);
      }
  }
}

}  // namespace regimen::onednn::ONEDNN_ISA
