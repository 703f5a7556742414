// distill_test.cpp - the loss of distillation against its formula in float64, over a vocabulary of three tokens.
#include "methods/method.hpp"

namespace rgm::test {
namespace {

using Distribution = std::array<double, 3>;

class Distillation : public TensorTest {
 protected:
  // Of what follows each token of the row.
  static std::vector<Distribution> distributions(const Model& model, const std::vector<int32_t>& row, double tau) {
    const NoGradient still;
    const std::vector<float> logits = to_host(model.forward(pass_over(tokens_of({row})), RGM_LOGITS)[0]);
    std::vector<Distribution> out(row.size());
    for (size_t t = 0; t < row.size(); ++t) {
      double sum = 0;
      for (size_t v = 0; v < 3; ++v) sum += out[t][v] = std::exp(double(logits[3 * t + v]) / tau);
      for (double& p : out[t]) p /= sum;
    }
    return out;
  }
  static double kl(const Distribution& p, const Distribution& q) {
    double sum = 0;
    for (size_t v = 0; v < 3; ++v) sum += p[v] * std::log(p[v] / q[v]);
    return sum;
  }
  static double distance(const std::string& divergence, const Distribution& p, const Distribution& q) {
    if (divergence == "forward") return kl(p, q);
    if (divergence == "reverse") return kl(q, p);
    const Distribution middle = {(p[0] + q[0]) / 2, (p[1] + q[1]) / 2, (p[2] + q[2]) / 2};
    return (kl(p, middle) + kl(q, middle)) / 2;
  }
};

TEST_F(Distillation, IsItsFormula) {
  const std::vector<int32_t> row = {0, 2, 1, 1, 0, 2};
  const std::vector<float> counts = {0, 1, 0, 1, 1, 1};
  for (const std::string divergence : {"forward", "reverse", "js"}) {
    Method method("distill", "{temperature: 3, share: 0.7, divergence: " + divergence + "}");
    const auto student = of_three_tokens(7), teacher = of_three_tokens(8);
    method.train.roles["policy"] = {student};
    method.train.roles["teacher"] = {teacher, false, true};
    Batch batch;
    batch.examples = 1;
    batch.columns["text"] = pack(std::vector<TokenExample>{{row, counts}}, 24);
    const auto q_sharp = distributions(*student, row, 1), q = distributions(*student, row, 3),
               p = distributions(*teacher, row, 3);
    double text = 0, apart = 0;
    for (size_t t = 1; t < row.size(); ++t) {  // a token is told by the state before it
      if (counts[t] == 0) continue;
      text -= std::log(q_sharp[t - 1][size_t(row[t])]) / 4;
      apart += distance(divergence, p[t - 1], q[t - 1]) / 4;
    }
    ASSERT_GT(apart, 1e-3) << "the two have to differ for the test to see it";
    EXPECT_NEAR(method.loss(batch), 0.3 * text + 0.7 * 9 * apart, 1e-5) << divergence;
    EXPECT_NEAR(method.metric("divergence"), apart, 1e-5) << divergence;
  }
}

}  // namespace
}  // namespace rgm::test
