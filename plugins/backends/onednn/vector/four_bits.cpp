// four_bits.cpp - the product of a few rows and a matrix that is kept in four bits an element. Eight elements are a
// word of codes, and a vector of words is looked up as eight vectors: the first elements of all words, then the second
// ones, and so on. The few rows are put into that order once, so that nothing is turned for the matrix.
#include "kernels.hpp"
#include "regimen/abi/kernels.h"

namespace regimen::onednn::ONEDNN_ISA {

namespace {
constexpr int64_t kBlock = 64;  // elements that share a scale
constexpr float kLevels[] = {RGM_NF4_LEVELS};

// Which four bits of a word are element e: of each byte the upper ones come first.
template <int e>
inline constexpr int kShift = e / 2 * 8 + (e % 2 == 0 ? 4 : 0);

// The levels of element e of all words.
template <int e>
ONEDNN_INLINE Vec levels_of(Word codes) {
#if defined __AVX512F__
  return (Vec)_mm512_maskz_permutexvar_ps(0xFFFF, (__m512i)(codes >> kShift<e>), _mm512_loadu_ps(kLevels));
#elif defined __AVX2__
  const __m256i low = (__m256i)(codes >> kShift<e>), high = (__m256i)(codes << (28 - kShift<e>));
  return (Vec)_mm256_blendv_ps(_mm256_permutevar8x32_ps(_mm256_loadu_ps(kLevels), low),
                               _mm256_permutevar8x32_ps(_mm256_loadu_ps(kLevels + 8), low), (__m256)high);
#else
  Vec v;
  for (int i = 0; i < kLanes; ++i) v[i] = kLevels[codes[i] >> kShift<e> & 15];
  return v;
#endif
}

// The words from element k of a row on, and the scale of each; what would lie behind the row has the scale 0.
struct Words {
  Word codes;
  Vec scales;
};
ONEDNN_INLINE Words words_at(const FourBits& w, const uint8_t* codes, const float* scales, int64_t k) {
  codes += k / 2, scales += k / kBlock;
#if defined __AVX512F__
  const __m512 first = _mm512_maskz_broadcastss_ps(0xFF, _mm_load_ss(scales));
  if (w.in - k < kFourBits) return {(Word)_mm512_maskz_loadu_epi32(0xFF, codes), (Vec)first};
  return {(Word)_mm512_loadu_si512(codes), (Vec)_mm512_mask_broadcastss_ps(first, 0xFF00, _mm_load_ss(scales + 1))};
#else
  static_cast<void>(w);
  Words s;
  __builtin_memcpy(&s.codes, codes, sizeof s.codes);
  s.scales = splat(*scales);
  return s;
#endif
}

template <class F>
ONEDNN_INLINE void each_element(F f) {
  f.template operator()<0>(), f.template operator()<1>(), f.template operator()<2>(), f.template operator()<3>();
  f.template operator()<4>(), f.template operator()<5>(), f.template operator()<6>(), f.template operator()<7>();
}

// c (R, J) [+]= a (R, K) w (J, K)^T from element k on; the rows of w that come next are fetched meanwhile.
template <int R, int J>
ONEDNN_INLINE void dots(const FourBits& w, const float* a, int64_t a_row, int64_t k, int64_t K, float* c,
                        int64_t c_row) {
  Vec sums[R][J] = {};
  const bool adds = k > 0;
  a += k;
  for (const int64_t end = k + K; k < end; k += kFourBits, a += kFourBits) {
    Words now[J];
    ONEDNN_UNROLL
    for (int j = 0; j < J; ++j) {
      now[j] = words_at(w, w.codes + j * w.codes_row, w.scales + j * w.scales_row, k);
      __builtin_prefetch(w.codes + (J + j) * w.codes_row + k / 2);
    }
    each_element([&]<int e>() {
      Vec values[J];
      ONEDNN_UNROLL
      for (int j = 0; j < J; ++j) values[j] = levels_of<e>(now[j].codes) * now[j].scales;
      ONEDNN_UNROLL
      for (int r = 0; r < R; ++r) {
        const Vec along = load(a + r * a_row + e * kLanes);
        ONEDNN_UNROLL
        for (int j = 0; j < J; ++j) sums[r][j] += along * values[j];
      }
    });
  }
  ONEDNN_UNROLL
  for (int r = 0; r < R; ++r) {
    ONEDNN_UNROLL
    for (int j = 0; j < J; ++j) c[r * c_row + j] = (adds ? c[r * c_row + j] : 0) + sum(sums[r][j]);
  }
}

// R rows of a with all of w, in pieces of both that stay in a cache.
template <int R, int J>
void rows(FourBits w, const float* a, int64_t a_row, float* c, int64_t c_row) {
  constexpr int64_t kDepth = 8192 / R;
  for (int64_t k = 0; k < w.in; k += kDepth) {
    const int64_t K = w.in - k < kDepth ? w.in - k : kDepth;
    FourBits part = w;
    int64_t j = 0;
    const auto next = [&]<int N>() {
      dots<R, N>(part, a, a_row, k, K, c + j, c_row);
      j += N, part.codes += N * w.codes_row, part.scales += N * w.scales_row;
    };
    while (j + J <= w.rows) next.template operator()<J>();
    while (j < w.rows) next.template operator()<1>();
  }
}
}  // namespace

void four_bit_order(const float* x, int64_t n, float* y) {
  for (int64_t k = 0; k < n; k += kFourBits, x += kFourBits, y += kFourBits) {
    const int64_t words = (n - k < kFourBits ? n - k : kFourBits) / 8;
    for (int64_t e = 0; e < 8; ++e)
      for (int64_t i = 0; i < kLanes; ++i) y[e * kLanes + i] = i < words ? x[i * 8 + e] : 0;
  }
}

void four_bit_product(const FourBits& w, int64_t M, const float* a, int64_t a_row, float* c, int64_t c_row) {
  constexpr bool wide = kLanes == 16;
  const int64_t at_once = 262144 / w.in / 4 * 4 + 4;  // rows of w, which stay in the second cache
  FourBits part = w;
  for (int64_t j = 0; j < w.rows; j += at_once) {
    part.rows = w.rows - j < at_once ? w.rows - j : at_once;
    int64_t i = 0;
    const auto next = [&]<int R, int J>() {
      rows<R, J>(part, a + i * a_row, a_row, c + i * c_row + j, c_row);
      i += R;
    };
    while (M - i >= 8) next.template operator()<8, wide ? 2 : 1>();
    if (M - i >= 4) next.template operator()<4, wide ? 4 : 2>();
    if (M - i >= 2) next.template operator()<2, 4>();
    if (M - i >= 1) next.template operator()<1, 4>();
    part.codes += at_once * w.codes_row, part.scales += at_once * w.scales_row;
  }
}

}  // namespace regimen::onednn::ONEDNN_ISA
