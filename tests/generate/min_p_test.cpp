// min_p_test.cpp - min_p: which tokens it leaves, alone and behind top_k and top_p, and who draws from them.
#include <cmath>
#include <tuple>

#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "model/small.hpp"

namespace rgm::test {
namespace {

// Half as likely, and half of that, and half of that: their logarithms are exact multiples, so that a share of 0.5 or
// 0.25 is reached to the bit.
const std::vector<float> halves = {std::log(0.0625F), std::log(0.5F), std::log(0.125F), std::log(0.25F)};

// Of a distribution, with the draw that is this part of 2^32.
int32_t taken(std::span<const float> logprobs, double min_p, double part, int64_t top_k = 0, double top_p = 1) {
  Sampling s;
  s.min_p = min_p, s.top_k = top_k, s.top_p = top_p;
  return sample(logprobs, s, static_cast<uint32_t>(part * 0x1p32));
}

TEST(MinP, LeavesTokensThatAreNearlyAsLikelyAsTheLikeliest) {
  EXPECT_EQ(taken(halves, 0.5, 0.66), 1);  // 0.5 of 0.75
  EXPECT_EQ(taken(halves, 0.5, 0.67), 3);
  EXPECT_EQ(taken(halves, 0.5, 0.9999), 3);
  EXPECT_EQ(taken(halves, 0.51, 0.9999), 1);
  EXPECT_EQ(taken(halves, 0.25, 0.85), 3);  // 0.75 of 0.875
  EXPECT_EQ(taken(halves, 0.25, 0.87), 2);
  EXPECT_EQ(taken(halves, 0.01, 0.9999), 0);
}

TEST(MinP, OfOneLeavesAllThatAreAsLikelyAsTheLikeliest) {
  const std::vector<float> thirds = {std::log(0.1F), std::log(0.3F), std::log(0.3F), std::log(0.3F)};
  for (const auto& [part, token] : {std::pair{0.33, 1}, {0.34, 2}, {0.66, 2}, {0.67, 3}, {0.9999, 3}})
    EXPECT_EQ(taken(thirds, 1, part), token) << part;
  EXPECT_EQ(taken(thirds, 1, 0.9999, 2), 2);  // the first two of them
}

TEST(MinP, LeavesTheFewerBesideTopK) {
  EXPECT_EQ(taken(halves, 0.25, 0.9999, 2), 3);
  EXPECT_EQ(taken(halves, 0.5, 0.9999, 3), 3);
  EXPECT_EQ(taken(halves, 0.5, 0.66, 3), 1);  // 0.5 of 0.75, not of 0.875
}

// 0.25 leaves three tokens, of 0.875 together. 0.8 of 1 takes all of them, where 0.8 of 0.875 would take two.
TEST(MinP, ComesBehindTopP) {
  EXPECT_EQ(taken(halves, 0.25, 0.9999, 0, 0.8), 2);
  EXPECT_EQ(taken(halves, 0.25, 0.9999, 0, 0.75), 3);
  EXPECT_EQ(taken(halves, 0.5, 0.9999, 0, 0.9), 3);
  EXPECT_EQ(taken(halves, 0.5, 0.66, 0, 0.9), 1);
  EXPECT_EQ(taken(halves, 1, 0.9999, 3, 0.9), 1);
}

// Each second one of 2,000 is too unlikely; the others are found without sorting them.
TEST(MinP, OfAFlatDistributionIsDrawnFlat) {
  std::vector<float> logprobs;
  for (int32_t i = 0; i < 2000; ++i) logprobs.push_back(std::log(i % 2 ? 0.00001F : 0.00099F));
  for (int32_t i = 0; i < 1000; i += 37) EXPECT_EQ(taken(logprobs, 0.5, (i + 0.5) / 1000), 2 * i);
}

class MinPOnABackend : public TensorTest {};

TEST_F(MinPOnABackend, DrawsAreThoseOfTheHost) {
  const NoGradient no_gradient;
  constexpr size_t rows = 10;
  for (const int64_t V : {3, 2000}) {
    const Tensor logprobs = ops::log_softmax(ops::affine(rgm::test::sample({rows, V}, 3), 4, 0), 1);
    const auto values = to_host<float>(logprobs);
    std::vector<int32_t> draws;
    for (size_t b = 0; b < rows; ++b) draws.push_back(static_cast<int32_t>(mix(7, b, static_cast<uint32_t>(V)) >> 32));
    const Tensor random = from_host(std::span<const int32_t>(draws), {rows});
    for (const auto& [min_p, top_k, top_p] :
         {std::tuple{0.3, 0, 1.0}, {0.01, 0, 0.7}, {0.1, 50, 1.0}, {0.9, 50, 0.9}, {1.0, 0, 1.0}}) {
      const auto drawn_there = ops::sample(logprobs, random, top_k, top_p, min_p);
      ASSERT_TRUE(drawn_there);
      const auto tokens = to_host<int32_t>(drawn_there->tokens);
      Sampling s;
      s.min_p = min_p, s.top_k = top_k, s.top_p = top_p;
      for (size_t b = 0; b < rows; ++b) {
        const auto row = std::span(values).subspan(b * static_cast<size_t>(V), static_cast<size_t>(V));
        EXPECT_EQ(tokens[b], rgm::sample(row, s, static_cast<uint32_t>(draws[b]))) << V << ' ' << min_p << ' ' << top_k;
      }
    }
  }
}

// How often the kernel was asked with a feature bit, and without.
int asked_with = 0, asked_without = 0;
rgm_status sample_of_before(rgm_queue* q, const rgm_sample* args) {
  ++(args->features != 0 ? asked_with : asked_without);
  return args->features != 0 ? RGM_UNSUPPORTED : reference().kernels(nullptr)->sample(q, args);
}

// One that was built before knows no feature bit and rejects it: the host draws, and draws the same.
TEST_F(MinPOnABackend, ThatDoesNotKnowItIsLeftToTheHost) {
  asked_with = asked_without = 0;
  const auto model = small_model();
  const std::vector<std::vector<int32_t>> prompts = {some_tokens(3, 1), some_tokens(8, 2)};
  Sampling s;
  s.max_tokens = 4, s.end_at_end_of_text = false, s.min_p = 0.2;
  const auto there = generate(*model, prompts, s);
  rgm_kernels before = device->kernels();
  before.sample = sample_of_before;
  device->set_kernels(before);
  const auto here = generate(*model, prompts, s);
  for (size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(here[i].tokens, there[i].tokens) << i;
  EXPECT_EQ(std::pair(asked_with, asked_without), std::pair(4, 0));
  s.min_p = 0;
  generate(*model, prompts, s);
  EXPECT_EQ(std::pair(asked_with, asked_without), std::pair(4, 4));
}

}  // namespace
}  // namespace rgm::test
