// muon_settings_test.cpp - what a pipeline says of Muon, what of it is in force, and what is wrong with it.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

class MuonSettings : public PipelineTest {
 protected:
  Stage stage(const std::string& optimizer) { return read(right + "    optimizer: " + optimizer + "\n").stages[0]; }
  std::string wrong(const std::string& optimizer) { return problems(right + "    optimizer: " + optimizer + "\n"); }
};

TEST_F(MuonSettings, AloneHaveThePublishedNumbers) {
  EXPECT_EQ(stage("muon").effective["optimizer"]["muon"], parse_json(R"({
    "learning_rate": 0.001, "weight_decay": 0.0, "momentum": 0.95, "nesterov": true, "steps": 5,
    "scale": "match_rms_adamw", "matrices": ["layers.*", "*.layers.*"],
    "adamw": {"learning_rate": 0.001, "weight_decay": 0.0, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
              "moments": "float32"}})"));
}

TEST_F(MuonSettings, AdamWGoesByTheSameNumbersUnlessItHasItsOwn) {
  const OptimizerSpec same = stage("{muon: {learning_rate: 0.01, weight_decay: 0.5}}").optimizer;
  EXPECT_EQ(same.rate_of_adamw(), 0.01);
  EXPECT_EQ(same.decay_of_adamw(), 0.5);
  const OptimizerSpec own =
      stage(
          "{muon: {learning_rate: 0.01, weight_decay: 0.5, momentum: 0.9, nesterov: false, steps: 6, scale: "
          "original, matrices: \"*.mlp.*\", decay: [\"*\"], adamw: {learning_rate: 0.001, weight_decay: 0, beta2: "
          "0.95, moments: bfloat16}}}")
          .optimizer;
  EXPECT_EQ(own.learning_rate, 0.01);
  EXPECT_EQ(own.rate_of_adamw(), 0.001);
  EXPECT_EQ(own.decay_of_adamw(), 0);
  EXPECT_EQ(own.beta2, 0.95);
  EXPECT_EQ(own.moments, "bfloat16");
  EXPECT_EQ(own.momentum, 0.9);
  EXPECT_FALSE(own.nesterov);
  EXPECT_EQ(own.newton_schulz_steps, 6);
  EXPECT_EQ(own.scale, "original");
  EXPECT_THAT(own.matrices, testing::ElementsAre("*.mlp.*"));
  EXPECT_THAT(own.decay, testing::ElementsAre("*"));
}

// `pairs` has a rate of 1e-6 for AdamW. For SGD it would be another size of step, for Muon it is the same.
TEST_F(MuonSettings, BeginWithWhatTheStrategyHasForAdamW) {
  const std::string pairs =
      "regimen: 1\nstages:\n  - {name: a, strategy: pairs, model: {from: trained}, "
      "data: {train: {jsonl: p.jsonl}}, optimizer: ";
  const OptimizerSpec plain = read(pairs + "muon}").stages[0].optimizer;
  EXPECT_EQ(plain.learning_rate, 1e-6);
  EXPECT_EQ(plain.rate_of_adamw(), 1e-6);
  EXPECT_EQ(plain.momentum, 0.95);
  EXPECT_EQ(read(pairs + "{muon: {learning_rate: 1e-5}}}").stages[0].optimizer.rate_of_adamw(), 1e-5);
}

TEST_F(MuonSettings, AreSetFromTheCommandLine) {
  const std::string text = right + "    optimizer: {muon: {learning_rate: 0.1, adamw: {beta1: 0.5}}}\n";
  const OptimizerSpec o = read(text, set({"stages.base.optimizer.muon.adamw.learning_rate=0.01"})).stages[0].optimizer;
  EXPECT_EQ(o.learning_rate, 0.1);
  EXPECT_EQ(o.rate_of_adamw(), 0.01);
  EXPECT_EQ(o.beta1, 0.5);
}

TEST_F(MuonSettings, ProblemsAreTold) {
  EXPECT_EQ(wrong("{muon: {steps: 0, scale: rms, momentum: 1, matrices: []}}"),
            "8:31: \"optimizer.muon.steps\" is 0, should be 1 to 100\n"
            "8:41: \"optimizer.muon.scale\" should be one of match_rms_adamw, original, got \"rms\"\n"
            "8:56: \"optimizer.muon.momentum\" is 1, should be at least 0 and below 1\n"
            "8:69: \"optimizer.muon.matrices\" is empty: for AdamW alone write optimizer: adamw");
  EXPECT_EQ(wrong("{muon: {adamw: {learning_rate: 0, rates: {a: 1}}}}"),
            "8:47: \"optimizer.muon.adamw.learning_rate\" is 0, should be above 0\n"
            "8:50: unknown key \"rates\" in adamw in muon; it has: learning_rate, weight_decay, beta1, beta2, epsilon, "
            "moments");
  EXPECT_EQ(wrong("{muon: {matrices: {a: b}}}"), "8:34: \"optimizer.muon.matrices\" should be text, got a map");
}

TEST_F(MuonSettings, ForeignNamesAreAnswered) {
  EXPECT_EQ(wrong("{muon: {lr: 1, ns_steps: 5, adjust_lr_fn: original, moments: bfloat16, eps: 1e-7}}"),
            "8:24: unknown key \"lr\" in muon: here it is \"learning_rate\"\n"
            "8:31: unknown key \"ns_steps\" in muon: here it is \"steps\"\n"
            "8:44: unknown key \"adjust_lr_fn\" in muon: here it is \"scale\"\n"
            "8:68: unknown key \"moments\" in muon: Muon's momentum is float32; of AdamW beside it, write adamw: "
            "{moments: bfloat16}\n"
            "8:87: unknown key \"eps\" in muon: it is of AdamW, which updates what Muon does not: write adamw: {…}");
  EXPECT_EQ(
      wrong("{muon: {muon_lr: 1, adamw_betas: [0.9, 0.95], adamw_weight_decay: 0.1, ns_coefficients: [3, -5, 2]}}"),
      "8:24: unknown key \"muon_lr\" in muon: here it is \"learning_rate\"\n"
      "8:36: unknown key \"adamw_betas\" in muon: it is of AdamW, which updates what Muon does not: write adamw: "
      "{…}\n"
      "8:62: unknown key \"adamw_weight_decay\" in muon: write adamw: {weight_decay: …}\n"
      "8:87: unknown key \"ns_coefficients\" in muon: the iteration has those of the publication: leave it out");
}

}  // namespace
}  // namespace rgm::fake
