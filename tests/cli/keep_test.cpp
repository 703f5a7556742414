// keep_test.cpp - which weights a stage leaves: those of its last step, or of the best one that an evaluation saw.
#include <cmath>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

constexpr const char* weights = "/base/model/model.safetensors";

// The rate rises up to one at which the loss does, too, so that the last weights are not the best. It does not depend
// on how many steps there are: a run that ends at the best one has the same weights there.
TEST_F(TinyRun, TheBestWeightsAreLeftWhereTheLossRisesAgain) {
  write("p.yaml", tiny(40,
                       "    optimizer: {adamw: {learning_rate: 0.5}}\n    schedule: {constant: {warmup: 40}}\n"
                       "    evaluate: {every: 5}\n    keep: best\n"));
  const Said said = regimen("run p.yaml --out best");
  ASSERT_EQ(said.status, 0) << said.err;
  double lowest = INFINITY, last = 0;
  int64_t at = 0;
  for (const auto& numbers : json_lines("best/base/metrics.jsonl"))
    if (numbers.contains("validation_loss")) {
      last = numbers["validation_loss"];
      if (last < lowest) lowest = last, at = numbers["step"];
    }
  ASSERT_LT(lowest, last - 0.1) << "the loss has to rise again for the test to see it";
  const auto result = json("best/base/stage.json")["result"];
  EXPECT_EQ(result["best_step"], at);
  EXPECT_EQ(result["validation_loss"].get<double>(), lowest);

  const std::string keeps_last = " --set stages.base.keep=last --out ";
  ASSERT_EQ(regimen("run p.yaml" + keeps_last + "last").status, 0);
  ASSERT_EQ(regimen("run p.yaml --set stages.base.steps=" + std::to_string(at) + keeps_last + "short").status, 0);
  EXPECT_EQ(hash_of("best" + std::string(weights)), hash_of("short" + std::string(weights)));
  EXPECT_NE(hash_of("best" + std::string(weights)), hash_of("last" + std::string(weights)));
}

// What evaluates as the stage says is what it has left.
TEST_F(TinyRun, AMeanOfTheWeightsIsEvaluatedAndLeftAndSurvivesAKill) {
  write("p.yaml", tiny(300,
                       "    optimizer: {adamw: {learning_rate: 0.01}}\n    keep: {average: 0.9}\n"
                       "    checkpoint: {every: 50}\n    evaluate: {every: 100}\n"));
  ASSERT_EQ(regimen("run p.yaml --out mean").status, 0);
  const auto result = json("mean/base/stage.json")["result"];
  EXPECT_EQ(result["average_decay"], 0.9);
  const std::string text = read_file(folder_ / "text.txt");
  write("held-out.txt", text.substr(text.size() - text.size() / 10));
  const Said said = regimen("evaluate --model mean/base --data held-out.txt --json");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_NEAR(parse_json(said.out)["loss"].get<double>(), result["validation_loss"].get<double>(), 0.01);
  kill_and_resume("base/checkpoint/step-100");
  EXPECT_EQ(hash_of("mean" + std::string(weights)), hash_of("killed" + std::string(weights)));
  ASSERT_EQ(regimen("run p.yaml --set stages.base.keep=last --out last").status, 0);
  EXPECT_NE(hash_of("mean" + std::string(weights)), hash_of("last" + std::string(weights)));
}

}  // namespace
}  // namespace rgm
