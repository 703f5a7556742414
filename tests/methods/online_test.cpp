// online_test.cpp - ppo, grpo and rloo on answers of a small model, against their formulas in float64.
#include <regimen/advantage.hpp>

#include "methods/method.hpp"

namespace rgm::test {
namespace {

double as_double(const nlohmann::json& x) { return x.get<double>(); }

TEST(Advantage, GaeIsTheRecordedOne) {
  for (const char* name : {"gae", "gae_undiscounted"}) {
    const auto& x = recorded(name);
    const std::vector<float> rewards = x["rewards"], values = x["values"];
    regimen::Gae g = regimen::gae(rewards, values, x["gamma"], x["lambda"]);
    for (size_t t = 0; t < rewards.size(); ++t) {
      EXPECT_NEAR(g.advantages[t], as_double(x["advantages"][t]), 1e-6) << t;
      EXPECT_NEAR(g.returns[t], as_double(x["returns"][t]), 1e-6) << t;
    }
    regimen::whiten(g.advantages);
    for (size_t t = 0; t < rewards.size(); ++t) EXPECT_NEAR(g.advantages[t], as_double(x["whitened"][t]), 1e-5) << t;
  }
}

// By hand: gamma 0.5, lambda 0.5. delta_1 = 2 - 1 = 1, delta_0 = 1 + 0.5 * 1 - 0.5 = 1, A_0 = 1 + 0.25 * 1.
TEST(Advantage, GaeByHand) {
  const regimen::Gae g = regimen::gae(std::vector<float>{1, 2}, std::vector<float>{0.5, 1}, 0.5, 0.5);
  EXPECT_EQ(g.advantages, (std::vector<float>{1.25, 1}));
  EXPECT_EQ(g.returns, (std::vector<float>{1.75, 2}));
}

class Online : public TensorTest {
 protected:
  // log p of each token of the packed answers, by a model.
  static std::vector<float> logprobs(const Model& model, Batch& batch, double temperature = 1) {
    const NoGradient still;
    Pass pass{.tokens = column(batch, "completion"), .segments = column(batch, "completion.segments")};
    pass.temperature = temperature;
    return to_host(model.forward(pass, RGM_LOGPROBS)[0]);
  }
  // Old log-probabilities that make the ratio of each token something else than 1.
  static std::vector<float> move(Batch& batch, const std::vector<float>& now) {
    BatchColumn& old = batch.columns.at("completion.logprobs");
    const std::vector<float> by = numbers(int64_t(now.size()), 3, -0.5, 0.5);
    for (size_t i = 0; i < now.size(); ++i) old.reals[i] = now[i] - by[i];
    batch.uploaded.clear();
    return by;
  }
};

TEST_F(Online, SamplingTellsTheLogProbabilitiesThatTrainingSees) {
  Method ppo("ppo", "{max_tokens: 6, temperature: 0.8}");
  Batch& batch = ppo.rollout({"ab", "the"}, by_letters);
  const auto now = logprobs(*ppo.policy, batch, 0.8);
  for (const auto& places : places_of(batch.columns.at("completion"), batch.examples))
    for (const size_t i : places) EXPECT_NEAR(batch.columns.at("completion.logprobs").reals[i], now[i], 1e-4);
}

TEST_F(Online, PpoPricesTheDistanceAndWhitensOverTheBatch) {
  Method ppo("ppo", "{max_tokens: 6, kl: 0.3, missing_end_penalty: 2, gamma: 0.9, lambda: 0.8, answers: 2}");
  Batch& batch = ppo.rollout({"ab", "the"}, by_letters);
  const auto reference = logprobs(*ppo.reference, batch);
  const auto& old = batch.columns.at("completion.logprobs").reals;
  const auto& value = batch.columns.at("completion.value").reals;
  std::vector<double> advantages;
  std::vector<size_t> order;
  const auto places = places_of(batch.columns.at("completion"), batch.examples);
  double kl = 0;
  for (size_t e = 0; e < places.size(); ++e) {
    double running = 0, following = 0;
    std::vector<double> own(places[e].size());
    for (size_t t = places[e].size(); t-- > 0;) {
      const size_t i = places[e][t];
      double reward = -0.3 * (double(old[i]) - double(reference[i]));
      kl += (double(old[i]) - double(reference[i])) / double(places.size());
      if (t + 1 == places[e].size())
        reward +=
            double(by_letters(batch.columns.at("text").texts[e])) - (batch.columns.at("finished").integers[e] ? 0 : 2);
      running = reward + 0.9 * following - double(value[i]) + 0.9 * 0.8 * running;
      following = double(value[i]);
      own[t] = running;
      EXPECT_NEAR(batch.columns.at("completion.return").reals[i], running + following, 1e-4);
    }
    advantages.insert(advantages.end(), own.begin(), own.end());
    order.insert(order.end(), places[e].begin(), places[e].end());
  }
  const auto n = double(advantages.size());
  double mean = 0, variance = 0;
  for (const double a : advantages) mean += a / n;
  for (const double a : advantages) variance += (a - mean) * (a - mean) / (n - 1);
  for (size_t k = 0; k < order.size(); ++k)
    EXPECT_NEAR(batch.columns.at("completion.advantage").reals[order[k]],
                (advantages[k] - mean) / std::sqrt(variance + 1e-8), 1e-4);
  EXPECT_NEAR(ppo.metric("kl"), kl, 1e-3);
}

TEST_F(Online, PpoClipsThePolicyAndTheValue) {
  Method ppo("ppo", "{max_tokens: 6, clip: 0.15, value_clip: 0.1, value_weight: 0.4, answers: 2}");
  Batch& batch = ppo.rollout({"ab", "the"}, by_letters);
  const std::vector<float> v = batch.columns.at("completion.value").reals;  // of the parameters that loss sees
  const auto by = move(batch, logprobs(*ppo.policy, batch));
  const auto a = numbers(int64_t(v.size()), 4, -2, 2), back = numbers(int64_t(v.size()), 5, -0.3, 0.3);
  const auto far = numbers(int64_t(v.size()), 6, -1, 1);
  for (size_t i = 0; i < v.size(); ++i) {
    batch.columns.at("completion.advantage").reals[i] = a[i];
    batch.columns.at("completion.value").reals[i] = v[i] + back[i];
    batch.columns.at("completion.return").reals[i] = v[i] + far[i];
  }
  double policy = 0, value = 0, n = 0, clipped = 0;
  for (const auto& places : places_of(batch.columns.at("completion"), batch.examples))
    for (const size_t i : places) {
      const double ratio = std::exp(double(by[i])), A = a[i];
      const double near_ratio = std::clamp(ratio, 0.85, 1.15);
      policy += std::max(-A * ratio, -A * near_ratio);
      clipped += -A * near_ratio > -A * ratio;
      const double old = double(v[i]) + double(back[i]), wanted = double(v[i]) + double(far[i]);
      const double near = old + std::clamp(double(v[i]) - old, -0.1, 0.1);
      value += std::max(std::pow(double(v[i]) - wanted, 2), std::pow(near - wanted, 2)) / 2;
      n += 1;
    }
  EXPECT_NEAR(ppo.loss(batch), policy / n + 0.4 * value / n, 1e-4);
  EXPECT_NEAR(ppo.metric("clip_fraction"), clipped / n, 1e-6);
  EXPECT_GT(clipped, 0);
}

TEST_F(Online, PpoLeavesOutWhatCannotBeScored) {
  Method ppo("ppo", "{max_tokens: 6, answers: 3}");
  int asked = 0;
  Batch& batch = ppo.rollout({"ab"}, [&](const std::string&) { return asked++ == 1 ? NAN : 1.0F; });
  const auto places = places_of(batch.columns.at("completion"), 3);
  EXPECT_FALSE(places[0].empty());
  EXPECT_TRUE(places[1].empty());
}

TEST_F(Online, WhereNoAnswerHasAScoreThereIsNothingToLearnFrom) {
  for (const char* id : {"ppo", "grpo", "rloo"}) {
    Method method(id, "{max_tokens: 4, answers: 3}");
    EXPECT_EQ(method.rollout_if_any({"ab"}, [](const std::string&) { return NAN; }), nullptr) << id;
    int asked = 0;
    EXPECT_NE(method.rollout_if_any({"ab"}, [&](const std::string&) { return asked++ ? NAN : 1.0F; }), nullptr) << id;
  }
}

TEST_F(Online, PpoStopsWhereTheRewardMisleadsIt) {
  Method ppo("ppo", "{max_tokens: 6, kl_limit: 0.001}");  // policy and reference differ from the start
  EXPECT_THAT(
      [&] {
        ppo.rollout({"ab", "the", "zoo"}, by_letters);
      },
      testing::ThrowsMessage<Error>(testing::HasSubstr("above kl_limit")));
}

TEST_F(Online, GrpoComparesWithinTheGroup) {
  Method grpo("grpo", "{max_tokens: 5, answers: 4}");
  Batch& batch = grpo.rollout({"ab", "the"}, by_letters);
  for (int32_t g = 0; g < 2; ++g) {
    std::vector<double> scores;
    double mean = 0, variance = 0;
    for (size_t e = 0; e < 8; ++e)
      if (batch.columns.at("origin").integers[e] == g) scores.push_back(by_letters(batch.columns.at("text").texts[e]));
    ASSERT_EQ(scores.size(), 4U);
    for (const double s : scores) mean += s / 4;
    for (const double s : scores) variance += (s - mean) * (s - mean) / 3;
    for (size_t e = 0; e < 4; ++e)
      EXPECT_NEAR(batch.columns.at("advantage").reals[4 * size_t(g) + e],
                  (scores[e] - mean) / (std::sqrt(variance) + 1e-4), 1e-4);
  }
}

TEST_F(Online, GrpoHasThreeWaysToAverage) {
  for (const std::string average : {"dapo", "grpo", "dr_grpo"}) {
    Method grpo("grpo", "{max_tokens: 5, answers: 3, clip: 0.1, clip_high: 0.3, beta: 0.5, average: " + average + "}");
    Batch& batch = grpo.rollout({"ab", "the"}, by_letters);
    const auto by = move(batch, logprobs(*grpo.policy, batch));
    const auto now = logprobs(*grpo.policy, batch), reference = logprobs(*grpo.reference, batch);
    double by_tokens = 0, by_answers = 0, n = 0;
    const auto places = places_of(batch.columns.at("completion"), batch.examples);
    for (size_t e = 0; e < places.size(); ++e) {
      double own = 0;
      for (const size_t i : places[e]) {
        const double ratio = std::exp(double(by[i])), A = batch.columns.at("advantage").reals[e];
        const double d = double(reference[i]) - double(now[i]);
        own += std::max(-ratio * A, -std::clamp(ratio, 0.9, 1.3) * A) + 0.5 * (std::exp(d) - d - 1);
      }
      by_tokens += own;
      by_answers += own / double(places[e].size()) / 6;
      n += double(places[e].size());
    }
    const double wanted = average == "dapo" ? by_tokens / n : average == "grpo" ? by_answers : by_tokens / (6 * 5);
    EXPECT_NEAR(grpo.loss(batch), wanted, 1e-3 * std::max(1.0, std::abs(wanted))) << average;
  }
}

TEST_F(Online, GrpoTakesNoSideWhereAllScoresAreEqual) {
  Method grpo("grpo", "{max_tokens: 4, answers: 3}");
  Batch& batch = grpo.rollout({"ab"}, [](const std::string&) { return 1.0F; });
  EXPECT_EQ(batch.columns.at("advantage").reals, (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(grpo.metric("groups_without_preference"), 1);
}

TEST_F(Online, RlooComparesWithTheOthersAndWeighsWholeAnswers) {
  Method rloo("rloo", "{max_tokens: 4, answers: 3, beta: 0.1, clip: 0.2}");
  Batch& batch = rloo.rollout({"ab"}, by_letters);
  const auto now = logprobs(*rloo.policy, batch), reference = logprobs(*rloo.reference, batch);
  const auto places = places_of(batch.columns.at("completion"), 3);
  std::vector<double> r(3), sum(3);
  for (size_t e = 0; e < 3; ++e) {
    r[e] = by_letters(batch.columns.at("text").texts[e]);
    for (const size_t i : places[e]) {
      r[e] -= 0.1 * (double(now[i]) - double(reference[i]));
      sum[e] += double(now[i]);
    }
  }
  for (size_t e = 0; e < 3; ++e)
    EXPECT_NEAR(batch.columns.at("advantage").reals[e], r[e] - (r[(e + 1) % 3] + r[(e + 2) % 3]) / 2, 1e-3);
  double wanted = 0;
  const std::vector<double> moved = {0.3, -0.4, 0.1};
  for (size_t e = 0; e < 3; ++e) {
    batch.columns.at("old").reals[e] = float(sum[e] - moved[e]);
    const double ratio = std::exp(moved[e]), A = batch.columns.at("advantage").reals[e];
    wanted += std::max(-ratio * A, -std::clamp(ratio, 0.8, 1.2) * A) / 3;
  }
  batch.uploaded.clear();
  EXPECT_NEAR(rloo.loss(batch), wanted, 1e-3);
}

// An answer that was 300 nats less likely when it was drawn: the clipped side counts, or nothing where A is 0.
TEST_F(Online, RlooHasANumberForAnyRatio) {
  Method rloo("rloo", "{max_tokens: 4, answers: 2, clip: 0.2}");
  Batch& batch = rloo.rollout({"ab"}, by_letters);
  for (float& old : batch.columns.at("old").reals) old -= 300;
  batch.columns.at("advantage").reals = {0.5, 0};
  batch.uploaded.clear();
  EXPECT_NEAR(rloo.loss(batch), -1.2 * 0.5 / 2, 1e-6);
  batch.columns.at("advantage").reals = {-1e-6F, 0};
  batch.uploaded.clear();
  EXPECT_NEAR(rloo.loss(batch), std::exp(20) * 1e-6 / 2, 1e-3);
}

// One answer with a score of 1, then four with 0: a fifth, and not the mean of both rollouts.
TEST_F(Online, ARewardIsTheMeanOverAnswers) {
  for (const char* id : {"ppo", "grpo", "rloo"}) {
    Method method(id, "{max_tokens: 4, answers: 4}");
    int asked = 0;
    method.rollout({"ab"}, [&](const std::string&) { return asked++ ? NAN : 1.0F; });
    method.rollout({"ab"}, nothing);
    EXPECT_NEAR(method.metric("reward"), 0.2, 1e-6) << id;
  }
}

TEST_F(Online, TheBestOfSeveralIsKept) {
  Method best("best_of_n", "{n: 4, max_tokens: 5}");
  Batch& batch = best.rollout({"ab", "the"}, by_letters);
  ASSERT_EQ(batch.examples, 2);
  for (size_t e = 0; e < 2; ++e)
    EXPECT_EQ(batch.columns.at("score").reals[e], by_letters(batch.columns.at("text").texts[e]));
  EXPECT_EQ(batch.columns.at("prompt").texts, (std::vector<std::string>{"ab", "the"}));
  EXPECT_GT(best.metric("score"), best.metric("score_of_all"));
  EXPECT_EQ(batch.columns.at("finished").integers.size(), 2U);
}

// A batch without a score is none of 0.
TEST_F(Online, WhatCannotBeScoredIsInNoMean) {
  Method best("best_of_n", "{n: 2, max_tokens: 5}");
  best.rollout({"ab"}, [](const std::string&) { return NAN; });
  best.rollout({"the"}, [](const std::string&) { return 3.0F; });
  EXPECT_EQ(best.metric("score"), 3);
  EXPECT_EQ(best.metric("score_of_all"), 3);
}

}  // namespace
}  // namespace rgm::test
