// random.cpp - Philox4x32-10 (Salmon et al., SC 2011), as many blocks at once as a vector has lanes, and the numbers
// that kernels.h makes of its words.
#include "kernels.hpp"
#include "math.hpp"
#include "regimen/abi/tensor.h"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
typedef uint64_t Pair __attribute__((vector_size(kLanes * 4)));  // of lanes: an even one, and above it the odd one

// The 64-bit products of the even lanes.
ONEDNN_INLINE Pair even_products(Word a, Word b) {
#if defined __AVX512F__
  return (Pair)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b);
#elif defined __AVX2__
  return (Pair)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined __SSE2__
  return (Pair)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return ((Pair)a & UINT32_MAX) * ((Pair)b & UINT32_MAX);
#endif
}

// Both halves of the 64-bit products: processors multiply every second lane at once, and no other way is as fast.
template <int... J>
ONEDNN_INLINE void multiply(uint32_t a, Word b, Word& high, Word& low, LaneList<J...>) {
  const Word all = Word{} + a;
  const Word even = (Word)even_products(b, all), odd = (Word)even_products((Word)((Pair)b >> 32), all);
  high = __builtin_shufflevector(even, odd, (J % 2 ? kLanes + J : J + 1)...);
  low = __builtin_shufflevector(even, odd, (J % 2 ? kLanes + J - 1 : J)...);
}

// a0 b0 a1 b1 ..: the first half of them, and the second
template <int... J>
ONEDNN_INLINE void interleave(Word a, Word b, Word& first, Word& second, LaneList<J...>) {
  first = __builtin_shufflevector(a, b, (J % 2 * kLanes + J / 2)...);
  second = __builtin_shufflevector(a, b, (J % 2 * kLanes + (kLanes + J) / 2)...);
}

// The counter's words for the kLanes blocks that start at `block`: high and low, 128 bits, plus block and lane.
ONEDNN_INLINE void count(uint64_t low, uint64_t high, uint64_t block, Word (&c)[4]) {
  const uint64_t first = low + block;
  high += first < low ? 1 : 0;
  Word lane;
  for (int i = 0; i < kLanes; ++i) lane[i] = static_cast<uint32_t>(i);
  c[0] = lane + static_cast<uint32_t>(first);
  c[1] = Word{} + static_cast<uint32_t>(first >> 32);
  c[2] = Word{} + static_cast<uint32_t>(high);
  c[3] = Word{} + static_cast<uint32_t>(high >> 32);
  const bool carries = static_cast<uint32_t>(first) > UINT32_MAX - (kLanes - 1);
  if (!carries) return;
  Word carry = (Word)(c[0] < lane);  // true is -1
  for (int k = 1; k < 4; ++k) {
    c[k] -= carry;
    carry &= (Word)(c[k] == 0);
  }
}

// Words 0..3 of the kLanes blocks that start at `block`.
ONEDNN_INLINE void philox(const int32_t* key, uint64_t block, Word (&c)[4]) {
  uint32_t k0 = static_cast<uint32_t>(key[0]), k1 = static_cast<uint32_t>(key[1]);
  const uint64_t low = static_cast<uint32_t>(key[2]) | static_cast<uint64_t>(static_cast<uint32_t>(key[3])) << 32;
  const uint64_t high = static_cast<uint32_t>(key[4]) | static_cast<uint64_t>(static_cast<uint32_t>(key[5])) << 32;
  count(low, high, block, c);
  for (int round = 0; round < 10; ++round) {
    Word h0, l0, h1, l1;
    multiply(0xD2511F53, c[0], h0, l0, Lanes<kLanes>::List{});
    multiply(0xCD9E8D57, c[2], h1, l1, Lanes<kLanes>::List{});
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
    Word even[2], odd[2], all[4];
    interleave(c[0], c[2], even[0], even[1], Lanes<kLanes>::List{});
    interleave(c[1], c[3], odd[0], odd[1], Lanes<kLanes>::List{});
    for (int half = 0; half < 2; ++half)
      interleave(even[half], odd[half], all[2 * half], all[2 * half + 1], Lanes<kLanes>::List{});
    const int64_t at = block * 4 - first, begin = at < 0 ? -at : 0, end = n - at < 4 * kLanes ? n - at : 4 * kLanes;
    if (end - begin == 4 * kLanes)
      __builtin_memcpy(out + at, all, sizeof all);
    else
      __builtin_memcpy(out + at + begin, reinterpret_cast<uint32_t*>(all) + begin,
                       static_cast<size_t>(end - begin) * 4);
  }
}

}  // namespace regimen::onednn::ONEDNN_ISA
