// sample.cpp - a token a row by sorting all of them, and sums of whole numbers along that order.
#include <algorithm>
#include <numeric>

#include "kernels.hpp"
#include "numbers.hpp"

namespace regimen::reference {
namespace {

constexpr uint64_t one = uint64_t{1} << 40;  // a probability of 1

uint64_t count_of(float x) {
  if (!(x >= -30)) return 0;
  x = std::min(x, 0.0f);
  const float n = std::nearbyint(x * 1.44269504f), r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float q = 1.9875691500e-4f;
  for (const float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
    q = q * r + c;
  const float p = (q * (r * r) + r) + 1;
  return static_cast<uint64_t>(std::nearbyint(std::ldexp(p, static_cast<int>(n) + 40)));
}

// The place, in falling order, of the token that is drawn; `likely`: how many of the first ones min_p leaves.
size_t drawn(const std::vector<uint64_t>& counts, const rgm_sample& a, size_t likely, uint32_t draw) {
  const bool limited = a.top_k > 0 && a.top_k < std::ssize(counts);
  const auto first = counts.begin();
  auto last = limited ? first + a.top_k : counts.end();
  uint64_t all = limited ? std::accumulate(first, last, uint64_t{0}) : one;
  if (a.top_p < 1 || a.features & RGM_SAMPLE_MIN_P) {
    const double wanted = a.top_p < 1 ? std::ceil(a.top_p * static_cast<double>(all)) : INFINITY;
    last = std::min(last, first + static_cast<std::ptrdiff_t>(likely));
    all = 0;
    for (auto it = first; it != last && (it == first || static_cast<double>(all) < wanted); ++it) all += *it;
  }
  const auto wanted = static_cast<uint64_t>(static_cast<unsigned __int128>(all) * draw >> 32);
  uint64_t sum = 0;
  size_t counted = 0;  // the last one that counts
  for (size_t i = 0; i < counts.size(); ++i) {
    sum += counts[i];
    if (counts[i] > 0) counted = i;
    if (sum > wanted) return i;
  }
  return counted;
}

}  // namespace

rgm_status sample(rgm_queue*, const rgm_sample* args) {
  return guard([&] {
    const rgm_sample& a = *args;
    accept_features(a.features, RGM_SAMPLE_MIN_P, "sample");
    const rgm_view &x = *a.x, &draws = *a.draws, &tokens = *a.tokens, &logprobs = *a.logprobs;
    require(x.rank == 2 && x.dtype == RGM_F32 && x.shape[1] > 0, "sample: x is (B, V) in float32");
    for (const rgm_view* v : {&draws, &tokens, &logprobs})
      require(v->rank == 1 && v->shape[0] == x.shape[0] && v->dtype == (v == &logprobs ? RGM_F32 : RGM_I32),
              "sample: draws and tokens are (B) in int32, logprobs in float32");
    const int64_t V = x.shape[1];
    std::vector<float> row(static_cast<size_t>(V));
    std::vector<uint64_t> counts(row.size());
    std::vector<int32_t> order(row.size());
    const auto value = [&](int32_t i) { return row[static_cast<size_t>(i)]; };
    for (int64_t b = 0; b < x.shape[0]; ++b) {
      load(x, b * x.stride[0], V, x.stride[1], row.data());
      int32_t token = -1;
      const bool broken = std::ranges::any_of(row, [](float v) { return std::isnan(v); });
      if (!broken && std::isfinite(*std::ranges::max_element(row))) {
        std::iota(order.begin(), order.end(), 0);
        std::ranges::stable_sort(order, [&](int32_t i, int32_t j) { return value(i) > value(j); });
        std::ranges::transform(order, counts.begin(), [&](int32_t i) { return count_of(value(i)); });
        const auto draw = static_cast<uint32_t>(data<const int32_t>(draws)[b * draws.stride[0]]);
        size_t likely = order.size();
        if (a.features & RGM_SAMPLE_MIN_P) {
          const float least = value(order[0]) + static_cast<float>(a.log_min_p);
          likely = static_cast<size_t>(std::ranges::count_if(row, [&](float x) { return x >= least; }));
        }
        token = order[a.top_k == 1 ? 0 : drawn(counts, a, likely, draw)];
      }
      data<int32_t>(tokens)[b * tokens.stride[0]] = token;
      data<float>(logprobs)[b * logprobs.stride[0]] = token < 0 ? NAN : value(token);
    }
  });
}

}  // namespace regimen::reference
