// classifier_reward_test.cpp - a classifier, and a published reward model, as the reward of what a model writes.
#include <gmock/gmock.h>

#include <cmath>

#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class ClassifierRewardTest : public RlhfTest {
 protected:
  ClassifierRewardTest() {
    std::string labelled;
    for (int i = 0; i < 12; ++i) labelled += i % 2 ? "the cat sat\tcat\n" : "the dog ran\tdog\n";
    write("labelled.tsv", labelled);
  }
  // A classifier of the tiny base, or what else has a head.
  static std::string judge(const std::string& more = "    adapter: {lora: {}}\n",
                           const std::string& head = "{classify: {labels: [cat, dog]}}") {
    return "  - name: judge\n    strategy: finetune\n    model: {from: base, head: " + head +
           "}\n    data: {train: {tsv: labelled.tsv, columns: {text: 0, label: 1}}}\n    batch: 6\n    steps: 10\n"
           "    optimizer: {adamw: {learning_rate: 1e-2}}\n" +
           more;
  }
  static std::string scalar() {
    std::string stage = judge("", "scalar");
    stage.replace(stage.find("tsv: labelled.tsv, columns: {text: 0, label: 1}"), 47,
                  "tsv: rated.tsv, columns: {text: 0, value: 1}");
    return stage;
  }
  static std::string answers(const std::string& reward, const std::string& more = "") {
    return "  - name: answers\n    strategy: {sample: {answers: 2, max_tokens: 5, score: true}}\n"
           "    model: {from: base}\n    reward: " +
           reward + "\n    data: {prompts: {jsonl: prompts.jsonl}}\n" + more;
  }
  Said run(const std::string& stages, const std::string& more = "") const {
    write("p.yaml", with(stages));
    return regimen("run p.yaml" + more);
  }
};

// As `evaluate` reads a prompt with its answer. With an adapter on the classifier.
TEST_F(ClassifierRewardTest, AnAnswersScoreIsTheLogOddsThatEvaluateFinds) {
  const Said said = run(judge() + answers("{from: judge, label: cat}"));
  ASSERT_EQ(said.status, 0) << said.err;
  const Said evaluated = regimen(
      "evaluate --model runs/tiny/judge --data runs/tiny/answers/rows.jsonl --column prompt=prompt --column text=text "
      "--rows evaluated.jsonl");
  ASSERT_EQ(evaluated.status, 0) << evaluated.err;
  const auto written = rows("answers"), found = json_lines("evaluated.jsonl");
  ASSERT_EQ(written.size(), 24U);
  ASSERT_EQ(found.size(), 24U);
  for (size_t i = 0; i < written.size(); ++i) {
    const double p = found[i]["probabilities"]["cat"];
    EXPECT_NEAR(double(written[i]["score"]), std::log(p) - std::log(1 - p), 1e-4) << written[i].dump();
  }
}

TEST_F(ClassifierRewardTest, APolicyLearnsToPleaseAClassifier) {
  const Said said =
      run(judge("") +
          "  - name: grpo\n    strategy: {grpo: {answers: 8, max_tokens: 4}}\n    model: {from: base}\n"
          "    reward: [{from: judge, label: cat}, {rule: {regex: t}, weight: 0.1}]\n"
          "    data: {prompts: {jsonl: prompts.jsonl}}\n    batch: 6\n    steps: 12\n    log: {every: 1}\n"
          "    optimizer: {adamw: {learning_rate: 5e-3}}\n");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto lines = json_lines("runs/tiny/grpo/metrics.jsonl");
  ASSERT_EQ(lines.size(), 12U);
  const auto mean = [&](size_t begin) {
    double sum = 0;
    for (size_t i = begin; i < begin + 4; ++i) sum += double(lines[i]["reward_judge"]) / 4;
    return sum;
  };
  EXPECT_GT(mean(8), mean(0) + 0.2) << mean(0) << " " << mean(8);
  EXPECT_TRUE(lines[0].contains("reward_rule"));
}

// In every other strategy that asks for scores, as a judge, and as the start of a critic.
TEST_F(ClassifierRewardTest, WhoeverAsksForScoresGetsThem) {
  const std::string reward = "    reward: {from: judge, label: dog}\n",
                    prompts = "    model: {from: base}\n    data: {prompts: {jsonl: prompts.jsonl}}\n    batch: 6\n";
  const Said said =
      run(judge() + answers("{from: judge, label: dog}") +
          ppo(", judge: judge",
              "    reward: [{rule: {regex: a}}, {from: judge, label: dog, weight: 0}]\n"
              "    critic: {from: judge}\n    steps: 1\n") +
          "  - name: rloo\n    strategy: {rloo: {max_tokens: 4}}\n    steps: 1\n" + prompts + reward +
          "  - name: best\n    strategy: {best_of_n: {n: 2, max_tokens: 4}}\n" + prompts + reward +
          "  - name: ranks\n    strategy: {rank: {ask: reward}}\n    model: {from: base}\n" + reward +
          "    data: {samples: {from: answers, columns: {completion: {prompt: prompt, answer: text}}}}\n");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto scored = rows("answers"), ranked = rows("ranks");
  ASSERT_EQ(scored.size(), ranked.size());
  for (size_t i = 0; i < scored.size(); ++i)
    EXPECT_NEAR(double(scored[i]["score"]), double(ranked[i]["score"]), 1e-4) << "from tokens, and from a row";
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/ppo/critic/model.safetensors"));
}

TEST_F(ClassifierRewardTest, AWrongLabelIsToldBeforeTheRun) {
  write("p.yaml", with(judge() + answers("{from: judge, label: cow}")));
  for (const char* command : {"check", "run", "plan"}) {
    const Said said = regimen(std::string(command) + " p.yaml");
    EXPECT_EQ(said.status, 2) << command;
    EXPECT_THAT(said.err, HasSubstr("the head has no label \"cow\"")) << command;
    EXPECT_THAT(said.err, HasSubstr("(its labels are cat, dog)")) << command;
  }
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
  write("p.yaml", with(judge() + answers("{from: judge, label: cat}")));
  EXPECT_EQ(regimen("check p.yaml").status, 0);
  const Said plan = regimen("plan p.yaml");
  EXPECT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("cat"));
}

// A folder that no stage left, as reward models are published: one number, and no type of problem.
TEST_F(ClassifierRewardTest, AFolderWithOneNumberIsAReward) {
  const auto run_with = [&](const std::string& reward) {
    const Said said = run(scalar() + answers(reward));
    EXPECT_EQ(said.status, 0) << said.err;
    return said.err;
  };
  const auto score = [&] { return double(rows("answers")[0]["score"]); };
  const std::string told = "reward \"published\" is taken for a published reward model";
  EXPECT_THAT(run_with("{from: judge}"), testing::Not(HasSubstr("published reward model")));
  const double own = score();
  fs::create_directories(folder_ / "published");
  for (const char* file : {"model.safetensors", "tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(folder_ / "runs/tiny/judge/model" / file, folder_ / "published" / file);
  auto config = json("runs/tiny/judge/model/config.json");
  config.erase("problem_type");
  write("published/config.json", config.dump());
  EXPECT_THAT(run_with("{from: published}"), HasSubstr(told));
  EXPECT_EQ(score(), own);
  EXPECT_THAT(run_with("{from: published}"), HasSubstr("stage answers: unchanged"));
  write("published/config.json", config.dump() + "\n");
  EXPECT_THAT(run_with("{from: published}"), testing::Not(HasSubstr("stage answers: unchanged")))
      << "its files are inputs of the stage";
}

}  // namespace
}  // namespace rgm
