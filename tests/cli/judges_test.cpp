// judges_test.cpp - rewards that learn: what is wrong in their data, with which adapter they judge, and whether they
// are good enough for what follows.
#include <gmock/gmock.h>

#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST_F(RlhfTest, RanksThatDoNotMatchTheAnswersAreToldWithTheirRow) {
  write("ranks.jsonl", R"({"prompt": "the", "responses": [" cat", " dog"], "ranks": [1, 2]})"
                       "\n"
                       R"({"prompt": "the", "responses": [" cat", " dog"], "ranks": [1, 2, 2]})"
                       "\n");
  write("p.yaml",
        with("  - name: judge\n    strategy: reward_modeling\n    reward: ranking\n    model: {from: base}\n"
             "    data: {train: {jsonl: ranks.jsonl, columns: {completion: {prompt: prompt, answer: responses}, "
             "rank: ranks}}}\n    steps: 1\n"));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("ranks.jsonl:2"));
  // One answer only, or all ranks equal, say nothing and do no harm.
  write("ranks.jsonl", R"({"prompt": "the", "responses": [" cat"], "ranks": [1]})"
                       "\n"
                       R"({"prompt": "the", "responses": [" cat", " dog"], "ranks": [1, 1]})"
                       "\n");
  const Said again = regimen("run p.yaml");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(result("judge")["loss"], 0);
}

// Two answers, which the judge is taught to tell apart.
constexpr const char* judge_with_an_adapter =
    "  - name: judge\n    strategy: reward_modeling\n    reward: {regression: {loss: logistic}}\n"
    "    model: {from: base}\n    adapter: {lora: {sites: ['*.attention.*', '*.mlp.*']}}\n    batch: 6\n    steps: 60\n"
    "    optimizer: {adamw: {learning_rate: 1e-2}}\n"
    "    data: {train: {tsv: rated.tsv, columns: {completion: 0, value: 1}}}\n";

TEST_F(RlhfTest, AJudgeJudgesWithTheAdapterThatItWasTrainedWith) {
  write("two.jsonl", R"({"prompt": "the", "text": " cat sat"})"
                     "\n"
                     R"({"prompt": "the", "text": " dog ran"})"
                     "\n");
  const std::string columns = ", columns: {completion: {prompt: prompt, answer: text}}}}\n";
  const auto ranked = [&](const char* name, const char* source, const char* from) {
    return std::string("  - name: ") + name +
           "\n    strategy: rank\n    model: {from: base}\n    reward: {from: " + from + "}\n    data: {" + source +
           ": {jsonl: two.jsonl" + columns;
  };
  write("p.yaml", with(judge_with_an_adapter + ranked("ranks", "samples", "judge") + ranked("same", "train", "judge")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto ranks = rows("ranks");
  ASSERT_EQ(ranks.size(), 2U);
  EXPECT_GT(double(ranks[0]["score"]), 2);  // log odds
  EXPECT_LT(double(ranks[1]["score"]), -2);
  EXPECT_EQ(ranks[0]["desirable"], 1);
  EXPECT_EQ(ranks[1]["desirable"], 0);
  EXPECT_EQ(rows("same"), ranks) << "whatever the source of the answers is called";
  write("q.yaml", with(ranked("ranks", "samples", "runs/tiny/judge")));
  ASSERT_EQ(regimen("run q.yaml --out other --set stages.ranks.model.from=runs/tiny/base").status, 0);
  EXPECT_EQ(read_file(folder_ / "other/ranks/rows.jsonl"), read_file(folder_ / "runs/tiny/ranks/rows.jsonl"));
  fs::remove(folder_ / "runs/tiny/judge/model/heads.safetensors");
  const Said lost = regimen("run p.yaml --only ranks --force");
  EXPECT_EQ(lost.status, 2);
  EXPECT_THAT(lost.err, HasSubstr("reward \"regression\": judge has not learned its reward.regression."));
}

TEST_F(RlhfTest, ACriticFromAJudgeWithAnAdapterIsTrainedWhole) {
  write("p.yaml",
        with(judge_with_an_adapter + ppo("", "    reward: {from: judge}\n    critic: {from: judge}\n    steps: 2\n")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result("ppo")["trained_parameters"], 2 * int(result("base")["trained_parameters"]) + 33);
  EXPECT_NE(hash_of("runs/tiny/ppo/critic/model.safetensors"), hash_of("runs/tiny/judge/model/model.safetensors"));
}

// A reward model that learned nothing shall not teach anybody.
TEST_F(RlhfTest, AStageThatIsNotGoodEnoughHoldsUpWhatFollows) {
  write("p.yaml",
        with("  - name: judge\n    strategy: reward_modeling\n    reward: {regression: {loss: logistic}}\n"
             "    model: {from: base}\n    batch: 6\n    steps: 1\n    demand: {accuracy: 1.5}\n"
             "    data: {train: {tsv: rated.tsv, columns: {completion: 0, value: 1}}, validation: {split: 0.5}}\n" +
             ppo("", "    reward: {from: judge}\n    steps: 1\n")));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, testing::ContainsRegex("stage judge: accuracy is [0-9.]+, but at least 1.5 is demanded"));
  EXPECT_FALSE(fs::exists(folder_ / "runs/tiny/ppo"));
  EXPECT_THAT(read_file(folder_ / "runs/tiny/report.html"), HasSubstr("stage-judge")) << "its last stage is reported";
  const Said again = regimen("run p.yaml");
  EXPECT_EQ(again.status, 1) << "what was made before is held to it, too";
  EXPECT_THAT(again.err, HasSubstr("stage judge: unchanged"));
  const Said near = regimen("run p.yaml --set 'stages.judge.demand={acuracy: 0}'");
  EXPECT_EQ(near.status, 2);
  EXPECT_THAT(near.err, HasSubstr("did you mean \"accuracy\"?"));
  const Said most = regimen("run p.yaml --set 'stages.judge.demand={validation_loss: {at_most: -1}}'");
  EXPECT_EQ(most.status, 1);
  EXPECT_THAT(most.err, testing::ContainsRegex("stage judge: validation_loss is [0-9.]+, but at most -1 is demanded"));
  const Said less = regimen("run p.yaml --set 'stages.judge.demand={accuracy: {at_least: 0, at_most: 1}}'");
  EXPECT_EQ(less.status, 0) << less.err;
  EXPECT_THAT(less.err, HasSubstr("stage judge: unchanged"));
}

}  // namespace
}  // namespace rgm
