// option_test.cpp - options of methods, each by what it changes beside the same run without it.
#include "methods/method.hpp"

namespace rgm::test {
namespace {

class MethodOption : public TensorTest {
 protected:
  // With gamma and lambda 1 a return is the sum of the rewards from its token on: what each token got, answer by
  // answer.
  static std::vector<float> rewards_of(const Batch& batch) {
    const std::vector<float>& returns = batch.columns.at("completion.return").reals;
    std::vector<float> out;
    for (const auto& places : places_of(batch.columns.at("completion"), batch.examples))
      for (size_t t = 0; t < places.size(); ++t)
        out.push_back(returns[places[t]] - (t + 1 < places.size() ? returns[places[t + 1]] : 0));
    return out;
  }
};

// Policy and reference are nats apart: beyond a small target the price rises, below a large one it falls, by 0.1 of at
// most 0.2.
TEST_F(MethodOption, KlTargetRaisesThePriceOfADistanceThatIsTooLarge) {
  for (const auto& [target, price] : {std::pair{"1e-3", 0.3 * 1.02}, {"1e6", 0.3 * 0.98}, {"0", 0.3}}) {
    Method ppo("ppo", std::string("{max_tokens: 6, kl: 0.3, answers: 4, kl_target: ") + target + "}");
    ppo.rollout({"ab", "the"}, nothing);
    ASSERT_GT(ppo.metric("kl"), 0.01);
    EXPECT_NEAR(double(item(ppo.policy->extra().find("ppo.kl")->value)), price, 1e-6) << target;
    EXPECT_NEAR(ppo.metric("kl_price"), 0.3, 1e-6) << "of this rollout";
  }
}

// e^d - 1 - d of d = log p_ref - log p_old is never negative, and every token pays it.
TEST_F(MethodOption, KlEstimatorK3IsPaidByEveryToken) {
  Method ppo("ppo", "{max_tokens: 6, kl: 0.3, kl_estimator: k3, gamma: 1, lambda: 1, answers: 2}");
  Batch& batch = ppo.rollout({"ab", "the"}, nothing);
  const NoGradient still;
  const Pass pass{.tokens = column(batch, "completion"), .segments = column(batch, "completion.segments")};
  const auto reference = to_host(ppo.reference->forward(pass, RGM_LOGPROBS)[0]);
  const auto rewards = rewards_of(batch);
  auto reward = rewards.begin();
  for (const auto& places : places_of(batch.columns.at("completion"), batch.examples))
    for (const size_t i : places) {
      const double d = double(reference[i]) - double(batch.columns.at("completion.logprobs").reals[i]);
      const double price = 0.3 * (std::exp(d) - 1 - d);
      EXPECT_NEAR(*reward, -price, 1e-4 * std::max(1.0, price));
      EXPECT_LE(*reward++, 1e-4);
    }
}

TEST_F(MethodOption, WhitenRewardsLeavesTheirMean) {
  const std::string options = "{max_tokens: 6, kl: 0.3, gamma: 1, lambda: 1, answers: 2, whiten_rewards: ";
  Method plain("ppo", options + "false}"), white("ppo", options + "true}");
  const auto before = rewards_of(plain.rollout({"ab", "the"}, by_letters));
  const auto after = rewards_of(white.rollout({"ab", "the"}, by_letters));
  ASSERT_EQ(before.size(), after.size());
  double mean = 0, variance = 0;
  for (const float r : before) mean += double(r) / double(before.size());
  for (const float r : before) variance += std::pow(double(r) - mean, 2) / double(before.size() - 1);
  for (size_t i = 0; i < before.size(); ++i)
    EXPECT_NEAR(after[i], (double(before[i]) - mean) / std::sqrt(variance) + mean, 1e-4) << i;
}

TEST_F(MethodOption, PtxAddsTheLossOfPlainText) {
  double losses[2] = {};
  for (const int ptx : {0, 2}) {
    Method ppo("ppo", "{max_tokens: 6, answers: 2, ptx: " + std::to_string(ptx) + "}");
    Batch& batch = ppo.rollout({"ab", "the"}, by_letters);
    Batch text;
    set_tokens(text, "text", {{"", "plain text"}, {"", "and more"}});
    batch.columns["pretrain.text"] = text.columns.at("text");
    losses[ptx / 2] = ppo.loss(batch);
    if (ptx == 0) continue;
    double sum = 0, n = 0;
    for (const char* one : {"plain text", "and more"})
      for (const double logprob : logprobs_of(*ppo.policy, {"", one})) sum -= logprob, n += 1;
    EXPECT_NEAR(losses[1] - losses[0], 2 * sum / n, 1e-4);
    EXPECT_NEAR(ppo.metric("ptx_loss"), sum / n, 1e-4);
  }
}

TEST_F(MethodOption, RlooWhitensOverTheBatch) {
  const std::string options = "{max_tokens: 4, answers: 3, whiten: ";
  Method plain("rloo", options + "false}"), white("rloo", options + "true}");
  const std::vector<float> a = plain.rollout({"ab", "the"}, by_letters).columns.at("advantage").reals;
  const std::vector<float> b = white.rollout({"ab", "the"}, by_letters).columns.at("advantage").reals;
  double mean = 0, variance = 0;
  for (const float x : a) mean += double(x) / 6;
  for (const float x : a) variance += std::pow(double(x) - mean, 2) / 5;
  ASSERT_EQ(a.size(), 6U);
  for (size_t e = 0; e < 6; ++e) EXPECT_NEAR(b[e], (double(a[e]) - mean) / std::sqrt(variance), 1e-4);
}

// Advantages 3, 0 and -3 have the deviation 3; the answers to the other prompt have none to be compared with.
TEST_F(MethodOption, RlooWhitensWhatCouldBeCompared) {
  Method rloo("rloo", "{max_tokens: 4, answers: 3, beta: 0, whiten: true}");
  const std::vector<float> scores = {3, 1, -1, NAN, NAN, 5};
  auto score = scores.begin();
  const Batch& batch = rloo.rollout({"ab", "the"}, [&](const std::string&) { return *score++; });
  const std::vector<float> advantage = batch.columns.at("advantage").reals, wanted = {1, 0, -1, 0, 0, 0};
  for (size_t e = 0; e < 6; ++e) EXPECT_NEAR(advantage[e], wanted[e], 1e-6) << e;
}

TEST_F(MethodOption, GrpoWithoutAScaleKeepsTheScoresSize) {
  Method grpo("grpo", "{max_tokens: 5, answers: 4, scale: none}");
  Batch& batch = grpo.rollout({"ab"}, by_letters);
  std::vector<double> scores;
  for (const std::string& text : batch.columns.at("text").texts) scores.push_back(double(by_letters(text)));
  const double mean = sum_of(scores) / 4;
  for (size_t e = 0; e < 4; ++e) EXPECT_NEAR(batch.columns.at("advantage").reals[e], scores[e] - mean, 1e-5);
}

TEST_F(MethodOption, GrpoMayDivideByTheDeviationOfTheBatch) {
  Method grpo("grpo", "{max_tokens: 5, answers: 3, scale: batch}");
  Batch& batch = grpo.rollout({"ab", "the"}, by_letters);
  std::vector<double> scores;
  for (const std::string& text : batch.columns.at("text").texts) scores.push_back(double(by_letters(text)));
  ASSERT_EQ(scores.size(), 6U);
  const double mean = sum_of(scores) / 6;
  double variance = 0;
  for (const double score : scores) variance += std::pow(score - mean, 2) / 5;
  for (size_t e = 0; e < 6; ++e) {
    const size_t first = e / 3 * 3;  // of its group
    const double own = (scores[first] + scores[first + 1] + scores[first + 2]) / 3;
    EXPECT_NEAR(batch.columns.at("advantage").reals[e], (scores[e] - own) / (std::sqrt(variance) + 1e-4), 1e-4);
  }
}

// The same ratio for all tokens of an answer: e to the mean of what each has moved by.
TEST_F(MethodOption, GrpoTakesTheRatioOfAnAnswer) {
  Method grpo("grpo", "{max_tokens: 5, answers: 3, ratio: answer, clip: 0.1, average: grpo}");
  Batch& batch = grpo.rollout({"ab"}, by_letters);
  const NoGradient still;
  const Pass pass{.tokens = column(batch, "completion"), .segments = column(batch, "completion.segments")};
  const auto now = to_host(grpo.policy->forward(pass, RGM_LOGPROBS)[0]);
  std::vector<float>& old = batch.columns.at("completion.logprobs").reals;
  const auto places = places_of(batch.columns.at("completion"), 3);
  double wanted = 0;
  for (size_t e = 0; e < 3; ++e) {
    double moved = 0;
    for (size_t t = 0; t < places[e].size(); ++t) {
      const double by = 0.05 * double(e + 1) * double(t + 1);
      old[places[e][t]] = now[places[e][t]] - float(by);
      moved += by / double(places[e].size());
    }
    const double ratio = std::exp(moved), advantage = double(batch.columns.at("advantage").reals[e]);
    wanted += std::max(-ratio * advantage, -std::clamp(ratio, 0.9, 1.1) * advantage) / 3;
  }
  batch.uploaded.clear();
  EXPECT_NEAR(grpo.loss(batch), wanted, 1e-4);
}

// The small model ends no answer by itself within so few tokens, so none is learned from; and then some are.
TEST_F(MethodOption, GrpoMaySkipWhatWasCutOff) {
  Method grpo("grpo", "{max_tokens: 5, answers: 3, unfinished: skip}");
  Batch& batch = grpo.rollout({"ab"}, by_letters);
  const std::vector<int32_t>& finished = batch.columns.at("finished").integers;
  const auto places = places_of(batch.columns.at("completion"), 3);
  std::vector<float>& learned = batch.columns.at("completion.learned").reals;
  for (size_t e = 0; e < 3; ++e)
    for (const size_t i : places[e]) EXPECT_EQ(learned[i], float(finished[e]));
  std::fill(learned.begin(), learned.end(), 0.0F);
  batch.uploaded.clear();
  EXPECT_EQ(grpo.loss(batch), 0) << "and no number is lost";
  for (const size_t i : places[1]) learned[i] = 1;
  batch.uploaded.clear();
  EXPECT_NEAR(grpo.loss(batch), -double(batch.columns.at("advantage").reals[1]), 1e-4) << "its ratio is 1";
}

// Two good answers and a bad one, and no distance: those that are good count three times.
TEST_F(MethodOption, KtoWeighsDesirableAnswers) {
  const std::vector<Text> answers = {{"a ", "cat sat"}, {"the ", "dog"}, {"one ", "two"}};
  Method method("kto", "{beta: 0.2, kl: false, weight_desirable: 3}");
  Batch batch;
  set_tokens(batch, "completion", answers);
  set_integers(batch, "desirable", {1, 0, 1});
  method.annotate(batch);
  double wanted = 0;
  for (size_t i = 0; i < 3; ++i) {
    const double x =
        sum_of(logprobs_of(*method.policy, answers[i])) - sum_of(logprobs_of(*method.reference, answers[i]));
    wanted += i == 1 ? 1 / (1 + std::exp(-0.2 * x)) / 3 : 3 * (1 - 1 / (1 + std::exp(-0.2 * x))) / 3;
  }
  EXPECT_NEAR(method.loss(batch), wanted, 1e-5);
}

// Of label 2 an example counts half, of label 0 three times; a fifth of each loss goes to all three labels.
TEST_F(MethodOption, FinetuneWeighsAndSmoothsLabels) {
  const std::vector<int32_t> labels = {2, 0, 1};
  const double weights[] = {3, 1, 0.5};
  Method plain("finetune", "{}", 3), weighed("finetune", "{class_weights: [3, 1, 0.5]}", 3),
      smooth("finetune", "{label_smoothing: 0.2}", 3);
  Batch batch;
  set_tokens(batch, "text", {{"", "a cat"}, {"", "the dog"}, {"", "zoo"}});
  set_integers(batch, "label", labels);
  double each[3] = {}, all[3] = {};  // -log p of the label, and the mean over labels
  for (int32_t e = 0; e < 3; ++e)
    for (int32_t label = 0; label < 3; ++label) {
      Batch one;
      set_tokens(one, "text", {std::vector<Text>{{"", "a cat"}, {"", "the dog"}, {"", "zoo"}}[size_t(e)]});
      set_integers(one, "label", {label});
      const double cost = plain.loss(one);
      all[e] += cost / 3;
      if (label == labels[size_t(e)]) each[e] = cost;
    }
  double weighted = 0, smoothed = 0;
  for (size_t e = 0; e < 3; ++e) {
    weighted += weights[labels[e]] * each[e] / 3;
    smoothed += (0.8 * each[e] + 0.2 * all[e]) / 3;
  }
  EXPECT_NEAR(plain.loss(batch), (each[0] + each[1] + each[2]) / 3, 1e-5);
  EXPECT_NEAR(weighed.loss(batch), weighted, 1e-5);
  batch.uploaded.clear();
  EXPECT_NEAR(smooth.loss(batch), smoothed, 1e-5);
}

TEST_F(MethodOption, WeightsOfLabelsFitTheModel) {
  EXPECT_THAT([] { Method("finetune", "{class_weights: [1, 2]}", 3); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("class_weights has 2 numbers, one was expected for each "
                                                               "of the 3 labels")));
  EXPECT_THAT([] { Method("finetune", "{class_weights: [0, 0, 0]}", 3); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("class_weights are all 0")));
  EXPECT_THAT([] { Method("finetune", "{label_smoothing: 0.1}"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("are for a model with labels")));
}

// A hundredth of the probability holds the likeliest token alone, whatever the temperature: all answers are one.
TEST_F(MethodOption, BestOfNDrawsFromTopP) {
  Method narrow("best_of_n", "{n: 4, max_tokens: 5, top_p: 0.01}"), wide("best_of_n", "{n: 4, max_tokens: 5}"),
      likeliest("best_of_n", "{n: 1, max_tokens: 5, temperature: 0.01}");
  const auto texts = narrow.rollout({"ab", "the"}, by_letters).columns.at("text").texts;
  EXPECT_EQ(narrow.metric("score"), narrow.metric("score_of_all"));
  EXPECT_EQ(texts, likeliest.rollout({"ab", "the"}, by_letters).columns.at("text").texts);
  wide.rollout({"ab", "the"}, by_letters);
  EXPECT_GT(wide.metric("score"), wide.metric("score_of_all"));
}

// No two tokens are equally likely here: only the likeliest has all of its own probability.
TEST_F(MethodOption, MinPOfOneTakesTheLikeliest) {
  Method likeliest("best_of_n", "{n: 1, max_tokens: 5, temperature: 0.01}");
  const auto wanted = likeliest.rollout({"ab", "the"}, by_letters).columns.at("text").texts;
  for (const auto& [id, count] : {std::pair{"sample", "answers: 1"}, {"best_of_n", "n: 4"}, {"ppo", "answers: 1"}}) {
    Method method(id, std::string("{max_tokens: 5, min_p: 1, ") + count + "}");
    EXPECT_EQ(method.rollout({"ab", "the"}, by_letters).columns.at("text").texts, wanted) << id;
  }
}

// A letter is one token of 257. The first one ends an answer and stays in it, and what comes before is as without.
TEST_F(MethodOption, StopEndsAnAnswerAndStaysInIt) {
  const std::string letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string stops;
  for (const char c : letters) stops += std::string(stops.empty() ? "" : ", ") + c;
  const auto has_letter = [&](const std::string& text) {
    return text.find_first_of(letters) == std::string::npos ? 0.0F : 1.0F;
  };
  for (const std::string id : {"sample", "best_of_n", "ppo", "grpo", "rloo"}) {
    const std::string options = std::string("{max_tokens: 8, ") + (id == "best_of_n" ? "n" : "answers") + ": 6";
    Method without(id, options + "}"), with(id, options + ", stop: [" + stops + "]}");
    const auto before = without.rollout({"ab", "the"}, has_letter).columns.at("text").texts;
    const Batch& batch = with.rollout({"ab", "the"}, has_letter);
    const auto& texts = batch.columns.at("text").texts;
    ASSERT_EQ(texts.size(), before.size()) << id;
    int ended = 0;
    for (size_t e = 0; e < texts.size(); ++e) {
      const size_t first = before[e].find_first_of(letters);
      EXPECT_EQ(texts[e], first == std::string::npos ? before[e] : before[e].substr(0, first + 1)) << id << ' ' << e;
      if (first == std::string::npos) continue;
      EXPECT_EQ(batch.columns.at("finished").integers[e], 1) << id << ' ' << e;
      ++ended;
    }
    EXPECT_GT(ended, 0) << id;
  }
}

TEST_F(MethodOption, AnEmptyStopIsRefused) {
  for (const std::string id : {"sample", "best_of_n", "ppo", "grpo", "rloo"})
    EXPECT_THAT([&] { Method(id, "{stop: ['']}"); },
                testing::ThrowsMessage<Error>(
                    testing::HasSubstr(id + ": stop has an empty text, which ends nothing: leave it out")));
}

}  // namespace
}  // namespace rgm::test
