// preference_test.cpp - dpo, orpo and kto against their formulas in float64. Where a reference takes part, it is set so
// that log p - log p_ref is a number of the test's choice.
#include "methods/method.hpp"

namespace rgm::test {
namespace {

const std::vector<Text> chosen = {{"a ", "cat sat"}, {"the ", "dog"}, {"", "zoo"}, {"one ", "two three"}};
const std::vector<Text> rejected = {{"a ", "zz"}, {"the ", "mat on"}, {"", "abcdefg"}, {"one ", "x"}};

class Preference : public TensorTest {
 protected:
  // dpo's loss with these log ratios.
  static double dpo(const std::string& options, const std::vector<double>& c, const std::vector<double>& r) {
    Method method("dpo", options);
    Batch batch;
    set_tokens(batch, "chosen", chosen);
    set_tokens(batch, "rejected", rejected);
    std::vector<float> reference_chosen, reference_rejected;
    for (size_t i = 0; i < 4; ++i) {
      reference_chosen.push_back(float(sum_of(logprobs_of(*method.policy, chosen[i])) - c[i]));
      reference_rejected.push_back(float(sum_of(logprobs_of(*method.policy, rejected[i])) - r[i]));
    }
    set_reals(batch, "reference_chosen", reference_chosen);
    set_reals(batch, "reference_rejected", reference_rejected);
    return method.loss(batch);
  }
  static std::vector<double> c() { return {1.5, -2, 4, 0.25}; }
  static std::vector<double> r() { return {-1, 3, 0.5, 0.25}; }
  // Mean of f(c, r, i) over the pairs.
  static double mean(const std::function<double(double, double, size_t)>& f) {
    double sum = 0;
    for (size_t i = 0; i < 4; ++i) sum += f(c()[i], r()[i], i) / 4;
    return sum;
  }
};

TEST_F(Preference, DpoIsTheRecordedLoss) {
  for (const auto& [name, options] :
       {std::pair{"dpo", "{beta: 0.1}"}, {"dpo_smoothed", "{beta: 0.1, label_smoothing: 0.1}"}}) {
    const auto& x = recorded(name);
    std::vector<double> c, r;
    for (size_t i = 0; i < 4; ++i) {
      c.push_back(x["policy_chosen"][i].get<double>() - x["reference_chosen"][i].get<double>());
      r.push_back(x["policy_rejected"][i].get<double>() - x["reference_rejected"][i].get<double>());
    }
    EXPECT_NEAR(dpo(options, c, r), x["loss"].get<double>(), 2e-6) << name;
  }
}

TEST_F(Preference, EqualLogRatiosCostLog2) { EXPECT_NEAR(dpo("{}", {1, 2, 3, 4}, {1, 2, 3, 4}), std::log(2), 1e-5); }

TEST_F(Preference, EachDpoLossIsItsFormula) {
  const double beta = 0.3;
  EXPECT_NEAR(dpo("{beta: 0.3, loss: hinge}", c(), r()),
              mean([&](double c, double r, size_t) { return std::max(0.0, 1 - beta * (c - r)); }), 1e-5);
  EXPECT_NEAR(dpo("{beta: 0.3, loss: ipo_sum}", c(), r()),
              mean([&](double c, double r, size_t) { return std::pow(c - r - 1 / (2 * beta), 2); }), 1e-4);
  // Of "zoo", which has no prompt, two letters are predicted; of "abcdefg" six.
  const std::vector<double> w = {7, 3, 2, 9}, l = {2, 6, 6, 1};
  EXPECT_NEAR(dpo("{beta: 0.3, loss: ipo_mean}", c(), r()),
              mean([&](double c, double r, size_t i) { return std::pow(c / w[i] - r / l[i] - 1 / (2 * beta), 2); }),
              1e-4);
  EXPECT_NEAR(dpo("{beta: 0.3, loss: robust, label_smoothing: 0.2}", c(), r()), mean([&](double c, double r, size_t) {
                const double gap = beta * (c - r);
                return (-0.8 * log_sigmoid(gap) + 0.2 * log_sigmoid(-gap)) / 0.6;
              }),
              1e-5);
}

// Of apo_zero's two halves each looks at one answer alone; apo_down looks at the chosen one and at the gap.
TEST_F(Preference, AnchoredLossesAreTheirFormulas) {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  EXPECT_NEAR(dpo("{beta: 0.3, loss: apo_zero}", c(), r()),
              mean([&](double c, double r, size_t) { return 1 - sigmoid(0.3 * c) + sigmoid(0.3 * r); }), 1e-5);
  EXPECT_NEAR(dpo("{beta: 0.3, loss: apo_down}", c(), r()),
              mean([&](double c, double r, size_t) { return sigmoid(0.3 * c) + 1 - sigmoid(0.3 * (c - r)); }), 1e-5);
}

TEST_F(Preference, SftAddsTheLossOfTheChosenAnswers) {
  double sum = 0, tokens = 0;
  const std::shared_ptr<Model> policy = small_model();
  for (const Text& text : chosen)
    for (const double logprob : logprobs_of(*policy, text)) sum -= logprob, tokens += 1;
  EXPECT_NEAR(dpo("{sft: 0.5}", c(), r()) - dpo("{}", c(), r()), 0.5 * sum / tokens, 1e-4);
}

// w and l are means over an answer's tokens; a lead of gamma costs log 2.
TEST_F(Preference, SimpoIsItsFormula) {
  double pairs = 0, sum = 0, tokens = 0;
  for (const double sft : {0.0, 0.3}) {
    Method method("simpo", fmt::format("{{beta: 1.5, gamma: 0.4, sft: {}}}", sft));
    Batch batch;
    set_tokens(batch, "chosen", chosen);
    set_tokens(batch, "rejected", rejected);
    pairs = sum = tokens = 0;
    for (size_t i = 0; i < 4; ++i) {
      const auto of_chosen = logprobs_of(*method.policy, chosen[i]),
                 of_rejected = logprobs_of(*method.policy, rejected[i]);
      const double w = sum_of(of_chosen) / double(of_chosen.size()),
                   l = sum_of(of_rejected) / double(of_rejected.size());
      pairs -= log_sigmoid(1.5 * (w - l) - 0.4) / 4;
      sum -= sum_of(of_chosen), tokens += double(of_chosen.size());
    }
    EXPECT_NEAR(method.loss(batch), pairs + sft * sum / tokens, 1e-5);
  }
  EXPECT_NEAR(-log_sigmoid(0.4 - 0.4), std::log(2), 1e-12);
}

TEST_F(Preference, SmoothingOfALossThatHasNoneIsRefused) {
  EXPECT_THROW(Method("dpo", "{loss: hinge, label_smoothing: 0.1}"), Error);
}

TEST_F(Preference, DpoAnnotatesTheReferencesLogProbabilities) {
  Method method("dpo");
  Batch batch;
  set_tokens(batch, "chosen", chosen);
  set_tokens(batch, "rejected", rejected);
  method.annotate(batch);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(batch.columns.at("reference_chosen").reals[i], sum_of(logprobs_of(*method.reference, chosen[i])), 1e-4);
    EXPECT_NEAR(batch.columns.at("reference_rejected").reals[i], sum_of(logprobs_of(*method.reference, rejected[i])),
                1e-4);
  }
}

TEST_F(Preference, OrpoIsItsFormula) {
  Method method("orpo", "{beta: 0.4}");
  Batch batch;
  set_tokens(batch, "chosen", chosen);
  set_tokens(batch, "rejected", rejected);
  double nll = 0, tokens = 0, odds = 0;
  for (size_t i = 0; i < 4; ++i) {
    const auto of_chosen = logprobs_of(*method.policy, chosen[i]),
               of_rejected = logprobs_of(*method.policy, rejected[i]);
    nll -= sum_of(of_chosen);
    tokens += double(of_chosen.size());
    const double w = sum_of(of_chosen) / double(of_chosen.size()), l = sum_of(of_rejected) / double(of_rejected.size());
    odds += log_sigmoid(w - l - (std::log(-std::expm1(w)) - std::log(-std::expm1(l)))) / 4;
  }
  EXPECT_NEAR(method.loss(batch), nll / tokens - 0.4 * odds, 1e-5);
}

// x = log p - log p_ref of each example, and z the mean of the same over answers that stand behind the prompt before.
TEST_F(Preference, KtoComparesWithAnswersBehindWrongPrompts) {
  const std::vector<Text> answers = {{"a ", "cat sat"}, {"the ", "dog"}, {"one ", "two"}};
  const std::vector<int32_t> desirable = {1, 0, 1};
  for (const bool has_kl : {true, false}) {
    Method method("kto", std::string("{beta: 0.2, weight_undesirable: 1.5, kl: ") + (has_kl ? "true}" : "false}"));
    // The other way round the mean is negative, and no distance.
    std::swap(method.policy, method.reference);
    method.train.roles.at("policy").model = method.policy;
    method.train.roles.at("reference").model = method.reference;
    Batch batch;
    set_tokens(batch, "completion", answers);
    set_integers(batch, "desirable", desirable);
    method.annotate(batch);
    const auto apart = [&](const Text& t) {
      return sum_of(logprobs_of(*method.policy, t)) - sum_of(logprobs_of(*method.reference, t));
    };
    double z = 0, wanted = 0;
    for (size_t i = 0; i < 3; ++i) z += apart({answers[i].prompt, answers[(i + 1) % 3].answer}) / 3;
    z = has_kl ? std::max(0.0, z) : 0;
    for (size_t i = 0; i < 3; ++i) {
      const double gain = 0.2 * (apart(answers[i]) - z), sign = desirable[i] ? 1 : -1;
      wanted += (desirable[i] ? 1 : 1.5) * (1 - 1 / (1 + std::exp(-sign * gain))) / 3;
    }
    EXPECT_NEAR(method.loss(batch), wanted, 1e-5) << has_kl;
    EXPECT_NEAR(method.metric("kl"), z, 1e-3);
    // The distance has to be there for the test to see it.
    EXPECT_TRUE(!has_kl || z > 0.1) << z;
  }
}

// Of equal conversations the answers behind another's question are the conversation itself: z is the mean of x. The
// question in between counts for nothing, neither in x nor in z.
TEST_F(Preference, KtoMovesAllTurnsOfAConversation) {
  TokenExample two_turns;
  for (const char c : std::string("hi aa yo bb")) two_turns.ids.push_back(static_cast<unsigned char>(c));
  two_turns.weights = {0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1};
  double farthest = 0;
  for (const bool is_swapped : {false, true}) {  // one of the two ways round the policy is the likelier one
    Method method("kto", "{beta: 0.2}");
    if (is_swapped) {
      std::swap(method.policy, method.reference);
      method.train.roles.at("policy").model = method.policy;
      method.train.roles.at("reference").model = method.reference;
    }
    Batch batch;
    batch.examples = 4;
    batch.columns["completion"] = pack(std::vector<TokenExample>(4, two_turns), 24);  // two in a row
    set_integers(batch, "desirable", {1, 1, 1, 1});
    method.annotate(batch);
    method.loss(batch);
    const double x = method.metric("desirable_reward") / 0.2;
    EXPECT_NEAR(method.metric("kl"), std::max(0.0, x), 1e-3);
    farthest = std::max(farthest, x);
  }
  EXPECT_GT(farthest, 0.1) << "the distance has to be there for the test to see it";
}

}  // namespace
}  // namespace rgm::test
