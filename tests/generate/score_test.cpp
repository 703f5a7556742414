// score_test.cpp - what a model says of texts that are there: each token once, and the same whatever it is read beside.
#include "generate/score.hpp"

#include <cmath>

#include "model/small.hpp"

namespace rgm::test {
namespace {

using Rows = std::vector<TokenExample>;

class Scores : public TensorTest {
 protected:
  static std::vector<ScoredToken> all(const Model& model, const std::vector<std::vector<int32_t>>& rows) {
    std::vector<ScoredToken> out;
    Rows examples;
    for (const auto& ids : rows) examples.push_back({ids, {}});
    score_texts(model, examples, [&](const ScoredToken& t) { out.push_back(t); });
    return out;
  }
};

// Its embedding, which is its head, is zero: all 257 tokens are equally likely, and the first of them counts as found.
TEST_F(Scores, AModelThatKnowsNothingHasTheLossOfAGuess) {
  const auto model = small_model();
  {
    const NoGradient still;
    assign(model->parameters().find("embedding.weight")->value, ops::full({257, 16}, 0));
  }
  const Score score = score_texts(*model, Rows{{{5, 0, 7, 0}, {}}, {{1, 2}, {}}});
  EXPECT_EQ(score.count, 4);
  EXPECT_EQ(score.right, 2);
  EXPECT_NEAR(score.loss, 4 * std::log(257.0), 1e-4);
}

TEST_F(Scores, EveryTokenOfALongRowIsScoredOnce) {
  const auto model = small_model();  // a context of 24
  const auto tokens = all(*model, {some_tokens(60, 3)});
  ASSERT_EQ(tokens.size(), 59);
  for (size_t i = 0; i < tokens.size(); ++i) EXPECT_EQ(tokens[i].position, static_cast<int64_t>(i) + 1);
  // The second window begins with token 24, so 25 is read behind it alone.
  const auto second = all(*model, {{some_tokens(60, 3)[24], some_tokens(60, 3)[25]}});
  EXPECT_NEAR(tokens[24].logprob, second[0].logprob, 1e-4);
  EXPECT_EQ(score_texts(*model, Rows{{some_tokens(60, 3), {}}, {some_tokens(25, 4), {}}}).windowed, 1);
}

TEST_F(Scores, WhatHasNoWeightIsReadAndNotScored) {
  const auto model = small_model();
  const std::vector<int32_t> ids = some_tokens(60, 3);
  std::vector<float> weights(60, 0);
  weights[5] = weights[30] = 1;
  std::vector<ScoredToken> some;
  const Score score = score_texts(*model, Rows{{ids, weights}}, [&](const ScoredToken& t) { some.push_back(t); });
  const auto every = all(*model, {ids});  // from position 1 on
  ASSERT_EQ(score.count, 2);
  EXPECT_EQ(some[0].position, 5);
  EXPECT_EQ(some[1].position, 30);
  EXPECT_NEAR(some[0].logprob, every[4].logprob, 1e-4);
  EXPECT_NEAR(score.loss, -every[4].logprob - every[29].logprob, 1e-4);
}

TEST_F(Scores, RowsInOneBatchAreScoredAsIfAlone) {
  const auto model = small_model("llama");
  const std::vector<std::vector<int32_t>> rows = {some_tokens(5, 1), some_tokens(9, 2), some_tokens(3, 3)};
  const auto together = all(*model, rows);
  ASSERT_EQ(together.size(), 4 + 8 + 2);
  size_t i = 0;
  for (size_t row = 0; row < rows.size(); ++row)
    for (const ScoredToken& alone : all(*model, {rows[row]})) {
      EXPECT_EQ(together[i].row, static_cast<int64_t>(row));
      EXPECT_EQ(together[i].likeliest, alone.likeliest);
      EXPECT_NEAR(together[i++].logprob, alone.logprob, 1e-4);
    }
}

TEST_F(Scores, TheyAreThoseOfAForwardPass) {
  const auto model = small_model();
  const auto row = some_tokens(8, 5);
  const NoGradient still;
  const auto expected = to_host<float>(model->forward(pass_over(tokens_of({row})), RGM_LOGPROBS)[0]);
  const auto got = all(*model, {row});
  for (size_t t = 1; t < row.size(); ++t) EXPECT_NEAR(got[t - 1].logprob, expected[t], 1e-4);
}

TEST(Probabilities, AreASoftmaxThatDoesNotOverflow) {
  const std::vector<float> odds = {0, std::log(3.0F)}, large = {1000, 1000};
  EXPECT_NEAR(probabilities(odds)[0], 0.25, 1e-6);
  EXPECT_NEAR(probabilities(odds)[1], 0.75, 1e-6);
  EXPECT_NEAR(probabilities(large)[0], 0.5, 1e-12);
}

}  // namespace
}  // namespace rgm::test
