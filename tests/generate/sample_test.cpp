// sample_test.cpp - which token a random number draws, on the host and on a backend.
#include <algorithm>
#include <numeric>

#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "model/small.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;

// With the draw that is this part of 2^32
int32_t drawn(std::span<const float> logprobs, const Sampling& s, double part) {
  return sample(logprobs, s, static_cast<uint32_t>(part * 0x1p32));
}

TEST(Sample, TakesTokensInFallingOrderOfProbability) {
  const std::vector<float> logits = {std::log(0.1F), std::log(0.5F), std::log(0.25F), std::log(0.15F)};
  Sampling s;
  EXPECT_EQ(drawn(logits, s, 0.49), 1);
  EXPECT_EQ(drawn(logits, s, 0.51), 2);
  EXPECT_EQ(drawn(logits, s, 0.76), 3);
  EXPECT_EQ(drawn(logits, s, 0.9999), 0);
  s.temperature = 0;
  EXPECT_EQ(drawn(logits, s, 0.9999), 1);
}

TEST(Sample, TopKAndTopPLeaveTheMostLikely) {
  const std::vector<float> logits = {std::log(0.1F), std::log(0.5F), std::log(0.25F), std::log(0.15F)};
  Sampling s;
  s.top_k = 2;
  EXPECT_EQ(drawn(logits, s, 0.66), 1);  // 0.5 of 0.75
  EXPECT_EQ(drawn(logits, s, 0.68), 2);
  s.top_k = 0;
  s.top_p = 0.6;  // 0.5 is not enough, 0.75 is
  EXPECT_EQ(drawn(logits, s, 0.999), 2);
  s.top_p = 0.4;
  EXPECT_EQ(drawn(logits, s, 0.999), 1);
}

TEST(Sample, AFlatDistributionIsDrawnFlat) {
  const std::vector<float> logits(1000, std::log(0.001F));
  for (int32_t i = 0; i < 1000; i += 37) EXPECT_EQ(drawn(logits, Sampling{}, (i + 0.5) / 1000), i);
}

// By the formula of rgm_sample -1.9375 counts 158399660032, of 2^40; where products and sums round in one, 16384 more.
TEST(Sample, AProbabilityCountsAsTheContractSaysToTheBit) {
  const std::vector<float> logprobs = {-1.9375F, -2};
  constexpr uint32_t behind = 158399660032 / 256;  // the first draw of 2^32 that is behind them
  EXPECT_EQ(sample(logprobs, Sampling{}, behind - 1), 0);
  EXPECT_EQ(sample(logprobs, Sampling{}, behind), 1);
}

using OnABackend = TensorTest;

TEST_F(OnABackend, DrawsAreThoseOfTheHost) {
  const NoGradient no_gradient;
  for (const int64_t V : {1, 3, 200, 3000})
    for (const double spread : {0.0, 4.0})
      for (const auto& [top_k, top_p] : {std::pair{0, 1.0}, {0, 0.7}, {50, 1.0}, {2, 0.9}, {1, 1.0}}) {
        const Tensor logprobs = ops::log_softmax(ops::affine(rgm::test::sample({20, V}, 3), spread, 0), 1);
        std::vector<int32_t> draws(20);
        for (size_t b = 0; b < 20; ++b) draws[b] = static_cast<int32_t>(mix(7, b, static_cast<uint32_t>(V)) >> 32);
        const auto drawn = ops::sample(logprobs, from_host(std::span<const int32_t>(draws), {20}), top_k, top_p);
        ASSERT_TRUE(drawn);
        const auto values = to_host<float>(logprobs), chosen = to_host<float>(drawn->logprobs);
        const auto tokens = to_host<int32_t>(drawn->tokens);
        Sampling s;
        s.top_k = top_k, s.top_p = top_p;
        for (size_t b = 0; b < 20; ++b) {
          const auto row = std::span(values).subspan(b * static_cast<size_t>(V), static_cast<size_t>(V));
          EXPECT_EQ(tokens[b], rgm::sample(row, s, static_cast<uint32_t>(draws[b])))
              << V << ' ' << top_k << ' ' << top_p;
          EXPECT_EQ(chosen[b], row[static_cast<size_t>(tokens[b])]);
        }
      }
}

TEST_F(OnABackend, ARowWithoutFiniteLogProbabilitiesHasNoToken) {
  const std::vector<float> values = {-1, NAN, -1, -2, -INFINITY, -INFINITY};
  const std::vector<int32_t> draws = {0, 0, 0};
  const auto drawn = ops::sample(from_host(std::span<const float>(values), {3, 2}),
                                 from_host(std::span<const int32_t>(draws), {3}), 0, 1);
  ASSERT_TRUE(drawn);
  EXPECT_THAT(to_host<int32_t>(drawn->tokens), ElementsAre(-1, 0, -1));
}

// 5,000 tokens, shuffled, whose probabilities fall slowly: the same as by sorting all of them.
TEST(Sample, ADeepDrawIsThatOfASortedList) {
  std::vector<double> p(5000);
  for (size_t i = 0; i < p.size(); ++i) p[i] = 1 / (1000.0 + double(i * 2221 % 5000));
  const double all = std::accumulate(p.begin(), p.end(), 0.0);
  std::vector<float> logprobs;
  for (const double x : p) logprobs.push_back(static_cast<float>(std::log(x / all)));
  std::vector<int32_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](int32_t a, int32_t b) { return p[size_t(a)] > p[size_t(b)]; });
  double reached = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const double middle = (reached + p[size_t(order[i])] / 2) / all;
    if (i % 97 == 0) {
      EXPECT_EQ(drawn(logprobs, Sampling{}, middle), order[i]) << i;
    }
    reached += p[size_t(order[i])];
  }
}

}  // namespace
}  // namespace rgm::test
