// rehearse_rewards_test.cpp - rewards and demands that a later stage cannot meet are told before the first one is
// trained.
#include <gmock/gmock.h>

#include "cli/rehearsed_run.hpp"
#include "plugins/folder.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using Rehearsal = RehearsedRun;

TEST_F(Rehearsal, WhoAsksForScoresHasAReward) {
  const std::string play =
      tiny(3) +
      "  - name: play\n    strategy: {grpo: {answers: 2, max_tokens: 2}}\n    model: {from: base}\n"
      "    data: {prompts: {jsonl: pairs.jsonl}}\n    batch: 2\n    steps: 1\n";
  expect_told(play, "strategy \"grpo\" asks for scores, but the stage has no reward");
  expect_told(play, "all rewards have the weight 0", "stages.play.reward={rule: {}, weight: 0}");
  expect_told(play + "    reward: {rule: {}}\n", "a rollout of 4 examples cannot be split into 7 steps",
              "stages.play.strategy={grpo: {answers: 2, max_tokens: 2, minibatches: 7}}");
  expect_told(tiny(3) +
                  "  - name: answers\n    strategy: {sample: {score: true}}\n    model: {from: base}\n"
                  "    data: {prompts: {jsonl: pairs.jsonl}}\n",
              "strategy \"sample\" asks for scores");
}

// A rule learns nothing, and what an earlier stage has learned stays as it is.
TEST_F(Rehearsal, WhatLearnsARewardNamesOneThatLearns) {
  write("ranks.jsonl",
        "{\"completion\": [\"the cat\", \"the dog\"], \"rank\": [1, 2]}\n"
        "{\"completion\": [\"the mat\", \"the ran\"], \"rank\": [2, 1]}\n");
  const std::string judge =
      tiny(3) +
      "  - name: judge\n    strategy: reward_modeling\n    model: {from: base}\n    reward: ranking\n"
      "    data: {train: {jsonl: ranks.jsonl}}\n    batch: 2\n    steps: 1\n";
  write("p.yaml", judge);
  EXPECT_EQ(regimen("check p.yaml").status, 0);
  for (const char* reward : {"{rule: {}}", "[ranking, {rule: {}}]", "[ranking, pairwise]"})
    expect_told(judge,
                "strategy \"reward_modeling\" trains a reward: name one plug-in that learns, and no other reward",
                std::string("stages.judge.reward=") + reward);
  const std::string more = judge +
                           "  - name: more\n    strategy: reward_modeling\n    model: {from: judge}\n"
                           "    reward: ranking\n    data: {train: {jsonl: ranks.jsonl}}\n    batch: 2\n    steps: 1\n";
  expect_told(more, "to train a learned one further, also take its model", "stages.more.reward={from: judge}");
  const std::string play = judge +
                           "  - name: play\n    strategy: {best_of_n: {n: 2, max_tokens: 2}}\n    model: {from: base}\n"
                           "    reward: {from: judge}\n    data: {prompts: {jsonl: pairs.jsonl}}\n    batch: 2\n";
  expect_told(play, "reward \"ranking\" has to learn before it scores answers", "stages.play.reward=ranking");
}

TEST_F(Rehearsal, WhatARewardMustReadIsInTheData) {
  const Folder plugins;
  const std::string file = plugins.add("dies_in_score").string();
  expect_told("plugins: [" + file + "]\n" + tiny(3) +
                  "  - name: play\n    strategy: {grpo: {answers: 2, max_tokens: 2}}\n    model: {from: base}\n"
                  "    reward: dies_in_score\n    data: {prompts: {jsonl: pairs.jsonl}}\n    batch: 1\n    steps: 1\n",
              "stage \"play\": pairs.jsonl:1: there is no \"answer\" for the column \"answer\"");
}

TEST_F(Rehearsal, NothingIsDemandedOfDataThatIsNotThere) {
  expect_told(second(""), "\"validation_loss\" is measured on held-out data, and there is none",
              "stages.second.demand={validation_loss: {at_most: 3}}");
  expect_told(second(""), "\"accuracy\" is measured on held-out data, and there is none",
              "stages.second.demand.accuracy=0.6");
}

TEST_F(Rehearsal, AnAccuracyIsDemandedOfLabelsAlone) {
  const std::string demanding = second("    demand: {accuracy: 0.6}\n");
  const std::string held_out = "stages.second.data={train: {tsv: rows.tsv}, validation: {tsv: rows.tsv}}";
  expect_told(demanding, "p.yaml:19:14: accuracy is measured on labels, and the model has none",
              "stages.second.model={from: base}");
  write("p.yaml", demanding);
  EXPECT_EQ(regimen("check p.yaml --set '" + held_out + "'").status, 0);
  const Said near = regimen("check p.yaml --set '" + held_out + "' --set 'stages.second.demand={acuracy: 0.6}'");
  EXPECT_EQ(near.status, 0);
  EXPECT_THAT(near.err, HasSubstr("\"acuracy\" is not a number that every result has; did you mean \"accuracy\"?"));
}

}  // namespace
}  // namespace rgm
