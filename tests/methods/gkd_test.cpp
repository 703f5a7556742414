// gkd_test.cpp - on-policy distillation: its loss against the formula in float64, over a vocabulary of three tokens;
// what its rollouts draw; what is wrong with its options.
#include <gmock/gmock.h>

#include "methods/method.hpp"

namespace rgm::test {
namespace {

class OnPolicy : public TensorTest {
 protected:
  using Chances = std::array<double, 3>;

  static std::vector<Chances> chances(const Model& model, const TokenExample& e, double tau) {
    const NoGradient still;
    const std::vector<float> logits = to_host(model.forward(pass_over(tokens_of({e.ids})), RGM_LOGITS)[0]);
    std::vector<Chances> out(e.ids.size());
    for (size_t t = 0; t < out.size(); ++t) {
      double sum = 0;
      for (size_t v = 0; v < 3; ++v) sum += out[t][v] = std::exp(double(logits[3 * t + v]) / tau);
      for (double& p : out[t]) p /= sum;
    }
    return out;
  }
  static double away(const Chances& p, const Chances& q) {  // KL(p, q)
    double sum = 0;
    for (size_t v = 0; v < 3; ++v) sum += p[v] * std::log(p[v] / q[v]);
    return sum;
  }
  // b KL(p, m) + (1 - b) KL(q, m), the mean over the tokens that count
  static double js(const Model& teacher, const Model& student, const TokenExample& e, double tau, double b) {
    const auto p = chances(teacher, e, tau), q = chances(student, e, tau);
    double sum = 0, count = 0;
    for (size_t t = 1; t < e.ids.size(); ++t) {  // a token is told by the state before it
      if (e.weights[t] == 0) continue;
      Chances m{};
      for (size_t v = 0; v < 3; ++v) m[v] = b * p[t - 1][v] + (1 - b) * q[t - 1][v];
      sum += b * away(p[t - 1], m) + (1 - b) * away(q[t - 1], m);
      count += 1;
    }
    return sum / count;
  }
  static rgm_strategy_plan planned(const std::string& yaml) {
    Method method("gkd", yaml);
    rgm_strategy_plan out{};
    out.struct_size = sizeof out;
    check_status(method.table.plan(method.self, &out));
    return out;
  }
  static std::string refused(const std::string& yaml) {
    try {
      Method method("gkd", yaml);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }
  static std::vector<std::string> drawn(const std::string& yaml, int64_t rollout = 0) {
    Method method("gkd", yaml);
    method.train.rollout = rollout;
    return method.rollout({"ab", "the", "a"}, nothing).columns.at("text").texts;
  }
};

TEST_F(OnPolicy, LossWeighsOwnAnswersAndTexts) {
  const TokenExample answer{{0, 2, 1, 1, 0}, {0, 0, 1, 1, 1}}, text{{1, 2, 2, 0, 1, 0}, {0, 1, 0, 1, 1, 1}};
  Method method("gkd", "{on_policy: 0.25, temperature: 3, divergence: js, js_weight: 0.3, share: 0.7}");
  const auto student = of_three_tokens(7), teacher = of_three_tokens(8);
  method.train.roles["policy"] = {student};
  method.train.roles["teacher"] = {teacher, false, true};
  Batch batch;
  batch.examples = 1;
  batch.columns["completion"] = pack(std::vector<TokenExample>{answer}, 24);
  batch.columns["train.text"] = pack(std::vector<TokenExample>{text}, 24);
  const double of_answer = js(*teacher, *student, answer, 3, 0.3), of_text = js(*teacher, *student, text, 3, 0.3);
  ASSERT_GT(of_answer, 1e-3) << "the two have to differ for the test to see it";
  double likely = 0;
  const auto q = chances(*student, text, 1);
  for (const size_t t : {1, 3, 4, 5}) likely -= std::log(q[t - 1][size_t(text.ids[t])]) / 4;
  EXPECT_NEAR(method.loss(batch), 0.25 * 9 * of_answer + 0.75 * (0.3 * likely + 0.7 * 9 * of_text), 1e-5);
  EXPECT_NEAR(method.metric("divergence"), of_answer, 1e-5);
  EXPECT_NEAR(method.metric("text_divergence"), of_text, 1e-5);
}

TEST_F(OnPolicy, AloneOwnAnswersAreTheWholeLoss) {
  const TokenExample answer{{0, 2, 1, 1, 0}, {0, 0, 1, 1, 1}};
  Method method("gkd", "{divergence: js}");
  const auto student = of_three_tokens(7), teacher = of_three_tokens(8);
  method.train.roles["policy"] = {student};
  method.train.roles["teacher"] = {teacher, false, true};
  Batch batch;
  batch.examples = 1;
  batch.columns["completion"] = pack(std::vector<TokenExample>{answer}, 24);
  EXPECT_NEAR(method.loss(batch), js(*teacher, *student, answer, 1, 0.5), 1e-5);
}

TEST_F(OnPolicy, AnswersFollowFromSeedAndRolloutAlone) {
  EXPECT_EQ(drawn("{max_tokens: 6}"), drawn("{max_tokens: 6}"));
  EXPECT_NE(drawn("{max_tokens: 6}"), drawn("{max_tokens: 6}", 1)) << "each rollout has fresh ones";
}

// The likeliest token in three ways.
TEST_F(OnPolicy, SamplingHasATemperatureOfItsOwnAndItsSettings) {
  const auto likeliest = drawn("{max_tokens: 6, sampling_temperature: 0}");
  EXPECT_EQ(drawn("{max_tokens: 6, top_k: 1}"), likeliest);
  EXPECT_EQ(drawn("{max_tokens: 6, top_p: 0.01}"), likeliest);
  EXPECT_EQ(drawn("{max_tokens: 6, min_p: 1}"), likeliest);
  EXPECT_NE(drawn("{max_tokens: 6, temperature: 0.01}"), likeliest) << "that of the distributions draws nothing";
}

TEST_F(OnPolicy, NeedsNoRewardAndTextsWhereTheyCount) {
  const rgm_strategy_plan alone = planned("{max_tokens: 9, epochs: 2, minibatches: 3}"),
                          mixed = planned("{on_policy: 0.5}");
  EXPECT_EQ(alone.needs, RGM_READS_ONE_SOURCE);
  EXPECT_EQ(alone.epochs, 2U);
  EXPECT_EQ(alone.steps, 3U);
  EXPECT_EQ(alone.units, 1U);
  EXPECT_EQ(alone.answer_tokens, 9U);
  EXPECT_EQ(mixed.needs, RGM_NEEDS_ALL_SOURCES);
  EXPECT_EQ(mixed.epochs * mixed.steps, 1U) << "fresh answers in every step";
}

TEST_F(OnPolicy, OptionsThatWouldChangeNothingAreRefused) {
  EXPECT_THAT(
      refused("{js_weight: 0.3}"),
      testing::HasSubstr("gkd: js_weight is the teacher's share in the mixture of divergence: js, and divergence "
                         "is \"reverse\": write divergence: js, or leave js_weight out"));
  EXPECT_THAT(refused("{share: 0.5}"), testing::HasSubstr("with on_policy: 1 there are none: add on_policy: 0.5"));
  EXPECT_EQ(refused("{share: 0.5, on_policy: 0.5}"), "");
}

TEST_F(OnPolicy, TextsHaveToFitTheTeacher) {
  for (const auto& [options, wanted] :
       {std::pair{"{on_policy: 0.5}",
                  "gkd: the teacher has room for 8 tokens, and texts may have the student's 24: add "
                  "length: 8 to the stage"},
        {"{}", ""}}) {
    Method method("gkd", options);
    method.train.roles["teacher"].length = 8;
    std::string said;
    try {
      check_status(method.table.prepare(method.self, &method.train));
    } catch (const Error& e) {
      said = e.what();
    }
    EXPECT_THAT(said, testing::HasSubstr(wanted));
    EXPECT_EQ(said.empty(), std::string_view(wanted).empty());
  }
}

// The loss that evaluate tells is of held-out prompts and fresh answers to them.
TEST_F(OnPolicy, HeldOutPromptsAreAnswered) {
  Method method("gkd", "{max_tokens: 6}");
  method.train.roles["teacher"] = {method.policy, false, true};
  Batch prompts;
  set_tokens(prompts, "prompt", {{"ab", ""}, {"the", ""}});
  const NoGradient still;
  method.train.begin_pass([&](const auto& see) { see(prompts); });
  check_status(method.table.evaluate(method.self, &method.train, &prompts));
  EXPECT_NEAR(method.metric("divergence"), 0, 1e-6) << "the student is its own teacher";
  EXPECT_GE(method.metric("length"), 1);
}

}  // namespace
}  // namespace rgm::test
