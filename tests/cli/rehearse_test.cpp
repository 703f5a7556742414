// rehearse_test.cpp - what is wrong with a later stage is told before the first one is trained, by `check` and by
// `run`.
#include <gmock/gmock.h>

#include "cli/tiny_run.hpp"
#include "plugins/folder.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class Rehearsal : public TinyRun {
 protected:
  Rehearsal() {
    write("rows.tsv", "text\tlabel\nthe cat\tcat\nthe dog\tdog\n");
    write("pairs.jsonl", R"({"prompt": "the ", "good": "cat", "bad": "dog"})"
                         "\n");
  }
  static std::string second(const std::string& more) {
    return tiny(3) +
           "  - name: second\n    strategy: finetune\n    model: {from: base, head: {classify: {labels: [cat, "
           "dog]}}}\n    data: {train: {tsv: rows.tsv}}\n    batch: 2\n    steps: 2\n" +
           more;
  }
  // `message` stands in what both say, and nothing was trained.
  void expect_told(const std::string& pipeline, const std::string& message, const std::string& set = "") {
    write("p.yaml", pipeline);
    const std::string with = set.empty() ? "" : " --set '" + set + "'";
    const Said checked = regimen("check p.yaml" + with), ran = regimen("run p.yaml" + with);
    EXPECT_EQ(checked.status, 2) << set;
    EXPECT_THAT(checked.err, HasSubstr(message));
    EXPECT_EQ(ran.status, 2) << set;
    EXPECT_THAT(ran.err, HasSubstr(message));
    EXPECT_FALSE(fs::exists(folder_ / "runs/tiny/base/stage.json")) << set;
  }
};

TEST_F(Rehearsal, WhatALaterStageCannotDoIsToldBeforeTheFirst) {
  expect_told(second(""), "stage \"second\": rows.tsv:2: there is no \"sentence\"",
              "stages.second.data.train.columns={text: sentence}");
  expect_told(second(""), "not a label of the model", "stages.second.model.head={classify: {labels: [good, bad]}}");
  expect_told(second(""), "stage \"second\": adapter \"lora\": no site",
              "stages.second.adapter={lora: {sites: nosuch}}");
  expect_told(second(""), "matches \"v_proj\"; did you mean \"*.attention.value\"?",
              "stages.second.adapter={lora: {sites: v_proj}}");
  expect_told(second(""), "two adapters \"lora\"", "stages.second.adapter=[lora, lora]");
  expect_told(second(""), "no parameter matches \"zzz*\"", "stages.second.trainable={names: [\"zzz*\"]}");
  expect_told(second(""), "no trained parameter matches \"lora.*\"",
              "stages.second.optimizer={adamw: {rates: {\"lora.*\": 1}}}");
  expect_told(second("    adapter: lora\n"), "\"layers.*\" matches \"layers.0.attention_norm.weight\", which the stage",
              "stages.second.optimizer={adamw: {rates: {\"layers.*\": 1}}}");
  expect_told(second(""), "40 virtual tokens", "stages.second.adapter={soft_prompt: {length: 40}}");
}

TEST_F(Rehearsal, BehindAnAdapterMistakesAreSeenToo) {
  const std::string third =
      second("    adapter: lora\n") +
      "  - name: third\n    strategy: finetune\n    model: {from: second}\n    data: {train: {tsv: rows.tsv}}\n"
      "    batch: 2\n    steps: 2\n";
  expect_told(third, "stage \"third\": rows.tsv:2: there is no \"sentence\"",
              "stages.third.data.train.columns={text: sentence}");
  expect_told(third, "stage \"third\": its model comes with an adapter \"lora\" (second)", "stages.third.adapter=lora");
  write("p.yaml", third);
  EXPECT_EQ(regimen("check p.yaml").status, 0);
}

TEST_F(Rehearsal, WhatAHeadLearnsHasToBeThere) {
  write("plain.tsv", "text\tvalue\nthe cat\tpos\nthe dog\tneg\n");
  expect_told(second(""), "stage \"second\": plain.tsv:2: there is no \"label\"",
              "stages.second.data={train: {tsv: rows.tsv}, validation: {tsv: plain.tsv}}");
  // A column of another head is not looked at.
  write("p.yaml", second(""));
  EXPECT_EQ(
      regimen("check p.yaml --set 'stages.second.model={from: base}' --set stages.second.data.train.tsv=plain.tsv")
          .status,
      0);
}

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

TEST_F(Rehearsal, ASampleThatCannotBeReadIsTold) {
  expect_told(second(""), "base: sample: tokenizer: the character \"Ü\"", "stages.base.sample={prompt: Ü}");
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

TEST_F(Rehearsal, EveryStageIsLookedAt) {
  write("p.yaml",
        second("    trainable: {names: [a*b]}\n") +
            "  - name: third\n    strategy: finetune\n    model: {from: base}\n    adapter: {lora: {sites: no}}\n"
            "    data: {train: {text: text.txt}}\n    batch: 2\n    steps: 2\n");
  const Said said = regimen("check p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("stage \"second\": trainable"));
  EXPECT_THAT(said.err, HasSubstr("stage \"third\": adapter"));
}

// tiny() has 12 lines: the stage begins at 13:5, its data stands in line 16, what is added to it in line 19.
TEST_F(Rehearsal, WhatOpeningAStageTellsHasAPlace) {
  write("p.yaml", second("    trainable: {names: [nosuch]}\n"));
  EXPECT_THAT(regimen("check p.yaml").err, HasSubstr("p.yaml:19:5: stage \"second\": trainable"));
  write("p.yaml", second(""));
  const auto told = [&](const std::string& set) {
    return regimen("check p.yaml --set 'stages.second." + set + "'").err;
  };
  EXPECT_THAT(told("data.train.columns={text: sentence}"), HasSubstr("p.yaml:16:5: stage \"second\": rows.tsv:2: "));
  EXPECT_THAT(told("adapter={lora: {sites: nosuch}}"),
              HasSubstr("--set stages.second.adapter={lora: {sites: nosuch}}: stage \"second\": adapter \"lora\""));
  EXPECT_THAT(told("adapter={soft_prompt: {length: 40}}"), HasSubstr("p.yaml:13:5: second: 40 virtual tokens"));
}

TEST_F(Rehearsal, ModelsThatReadTheSameTokensMustMeanTheSameByThem) {
  const std::string bytes =
      tiny(3) +
      "  - name: other\n    strategy: pretrain\n    model: {family: gpt2, layers: 1, heads: 2, channels: 16, "
      "context: 16}\n    tokenizer: bytes\n    data: {train: {text: text.txt}}\n    batch: 2\n    steps: 2\n";
  expect_told(bytes +
                  "  - name: pull\n    strategy: distill\n    model: {from: base}\n    teacher: {from: other}\n    "
                  "data: {train: {text: text.txt}}\n    batch: 2\n    steps: 2\n",
              "stage \"pull\": teacher: its model has a different tokenizer (257 tokens) from the model being trained");
  expect_told(bytes +
                  "  - name: prefer\n    strategy: dpo\n    model: {from: base}\n    reference: {from: other}\n    "
                  "data: {train: {jsonl: pairs.jsonl, columns: {chosen: {prompt: prompt, answer: good}, rejected: "
                  "{prompt: prompt, answer: bad}}}}\n    batch: 1\n    steps: 2\n",
              "stage \"prefer\": reference: its model has a different tokenizer");
}

TEST_F(Rehearsal, RowsThatAnEarlierStageWritesAreNoProblem) {
  write("p.yaml",
        tiny(3) +
            "  - name: answers\n    strategy: {sample: {answers: 2, max_tokens: 3}}\n    model: {from: base}\n"
            "    data: {prompts: {jsonl: pairs.jsonl}}\n"
            "  - name: learn\n    strategy: finetune\n    model: {from: base}\n"
            "    data: {train: {from: answers, columns: {text: {prompt: prompt, answer: text}}}}\n"
            "    batch: 2\n    steps: 2\n"
            "  - name: onward\n    strategy: finetune\n    model: {from: learn}\n    adapter: lora\n"
            "    data: {train: {text: text.txt}}\n    batch: 2\n    steps: 2\n");
  EXPECT_EQ(regimen("check p.yaml").status, 0);
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
}

TEST_F(Rehearsal, ABackendThatIsNotHereIsNoMistakeInAPipeline) {
  const Folder plugins;
  const std::string file = plugins.add("unusable_backend").string();
  write("p.yaml", "plugins: [" + file + "]\n" + second(""));
  const Said checked = regimen("check p.yaml --backend abacus");
  EXPECT_EQ(checked.status, 0) << checked.err;
  EXPECT_THAT(checked.err, HasSubstr("backend \"abacus\" cannot be opened"));
  EXPECT_THAT(checked.err, HasSubstr("the rest was checked all the same"));
  const Said wrong = regimen("check p.yaml --backend abacus --set stages.second.adapter=[lora,lora]");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("two adapters \"lora\""));
}

// Its adapter has the head, and the template of its chats.
TEST_F(Rehearsal, AFolderComesWithItsAdapters) {
  write("p.yaml", second("    adapter: {lora: {rank: 2}}\n"));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  write("on.yaml",
        "regimen: 1\nname: on\nbackend: reference\nstages:\n  - name: a\n    strategy: finetune\n    model: {from: "
        "runs/tiny/second}\n    data: {train: {tsv: rows.tsv}}\n    batch: 2\n    steps: 2\n"
        "  - name: b\n    strategy: finetune\n    model: {from: runs/tiny/second}\n    data: {train: {tsv: rows.tsv}}\n"
        "    batch: 2\n    steps: 2\n");
  const Said checked = regimen("check on.yaml"), ran = regimen("run on.yaml");
  EXPECT_EQ(checked.status, 0) << checked.err;
  EXPECT_EQ(ran.status, 0) << ran.err;
}

// 8 virtual tokens leave 8 of the context of 16 to a text of 12.
TEST_F(Rehearsal, VirtualTokensOfAnEarlierStageLeaveLessOfTheContext) {
  write("short.txt", "the cat sat ");
  const auto stage = [](const std::string& name, const std::string& from, const std::string& more) {
    return "  - name: " + name + "\n    strategy: finetune\n    model: {from: " + from +
           "}\n    data: {train: {text: " + more + "    batch: 2\n    steps: 2\n";
  };
  write("p.yaml", tiny(3) + stage("soft", "base", "text.txt}}\n    adapter: {soft_prompt: {length: 8}}\n") +
                      stage("after", "soft", "short.txt}}\n"));
  EXPECT_EQ(regimen("check p.yaml").status, 0);
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
}

TEST_F(Rehearsal, WhatARewardMustReadIsInTheData) {
  const Folder plugins;
  const std::string file = plugins.add("dies_in_score").string();
  expect_told("plugins: [" + file + "]\n" + tiny(3) +
                  "  - name: play\n    strategy: {grpo: {answers: 2, max_tokens: 2}}\n    model: {from: base}\n"
                  "    reward: dies_in_score\n    data: {prompts: {jsonl: pairs.jsonl}}\n    batch: 1\n    steps: 1\n",
              "stage \"play\": pairs.jsonl:1: there is no \"answer\" for the column \"answer\"");
}

// `plugins` and tiny() have 13 lines: the stage begins at 14:5, its strategy stands in line 15, what is added in 20.
TEST_F(Rehearsal, WhatAPlugInThrowsAtItsOptionsIsToldWithItsPlace) {
  const Folder plugins;
  const std::string file = plugins.add("picky").string();
  const auto picky = [&](const std::string& strategy, const std::string& more = "") {
    return "plugins: [" + file + "]\n" + tiny(3) + "  - name: second\n    strategy: " + strategy +
           "\n    model: {from: base}\n    data: {train: {text: text.txt}}\n    batch: 2\n    steps: 2\n" + more;
  };
  const std::string advice = "; the plug-in did not accept its options: change them, or report this to its author";
  const std::string of_strategy = "strategy \"picky\" (" + file + "): ";
  expect_told(picky("{picky: {at: create}}"),
              "p.yaml:15:5: " + of_strategy + "create failed: threw in create" + advice);
  expect_told(picky("{picky: {at: plan}}"), "p.yaml:15:5: " + of_strategy + "plan failed: threw in plan" + advice);
  expect_told(picky("{picky: {at: prepare}}"),
              "p.yaml:15:5: stage \"second\": " + of_strategy + "prepare failed: threw in prepare" + advice);
  expect_told(picky("pretrain", "    adapter: {picky_adapter: {at: attach}}\n"),
              "p.yaml:20:5: stage \"second\": adapter \"picky_adapter\" (" + file +
                  "): attach at layers.0.attention.query failed: threw in attach" + advice);
  expect_told(picky("pretrain", "    reward: {picky_reward: {pattern: \"[a\"}}\n"),
              "p.yaml:20:5: stage \"second\": reward \"picky_reward\" (" + file + "): create failed: ");
}

// A stage whose rows are yet to come can be wrong in this all the same.
TEST_F(Rehearsal, WhatDependsOnOptionsAloneIsToldOfEveryStage) {
  const Folder plugins;
  const std::string file = plugins.add("picky").string();
  const std::string later = "plugins: [" + file + "]\n" + tiny(3) +
                            "  - name: answers\n    strategy: {sample: {answers: 2, max_tokens: 3}}\n    model: {from: "
                            "base}\n    data: {prompts: {jsonl: pairs.jsonl}}\n"
                            "  - name: learn\n    strategy: finetune\n    model: {from: base}\n"
                            "    data: {train: {from: answers, columns: {text: {prompt: prompt, answer: text}}}}\n"
                            "    batch: 2\n    steps: 2\n";
  expect_told(later + "    reward: {picky_reward: {pattern: \"[a\"}}\n",
              "stage \"learn\": reward \"picky_reward\" (" + file + "): create failed: ");
  write("p.yaml", later);
  EXPECT_EQ(regimen("check p.yaml").status, 0);
}

TEST_F(Rehearsal, WhatAPlugInReadsThereIsNoVerdict) {
  const Folder plugins;
  const std::string file = plugins.add("picky").string();
  write("p.yaml", "plugins: [" + file + "]\n" + tiny(3) +
                      "  - name: second\n    strategy: {picky: {at: read}}\n    model: {from: base}\n"
                      "    data: {train: {text: text.txt}}\n    batch: 2\n    steps: 2\n");
  const Said checked = regimen("check p.yaml"), ran = regimen("run p.yaml");
  EXPECT_EQ(checked.status, 0) << checked.err;
  EXPECT_EQ(ran.status, 0) << ran.err;
}

TEST_F(Rehearsal, AMistakeLeavesTheRecordOfWhatIsDone) {
  write("p.yaml", tiny(3));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  EXPECT_EQ(regimen("run p.yaml --set stages.base.adapter=[lora,lora]").status, 2);
  EXPECT_EQ(json("runs/tiny/base/stage.json")["status"], "done");
  EXPECT_THAT(regimen("run p.yaml").err, HasSubstr("base: unchanged, not run again"));
}

TEST_F(Rehearsal, AModelWithoutItsTokenizerIsMadeAgain) {
  write("p.yaml", tiny(3));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  fs::remove(folder_ / "runs/tiny/base/model/tokenizer.json");
  EXPECT_THAT(regimen("run p.yaml").err, testing::Not(HasSubstr("not run again")));
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/base/model/tokenizer.json"));
}

TEST_F(Rehearsal, AStageThatFailsToOpenLeavesWhy) {
  write("p.yaml", tiny(3));
  const Said said = regimen("run p.yaml --set stages.base.adapter=[lora,lora]");
  EXPECT_EQ(said.status, 2);
  const auto stage = json("runs/tiny/base/stage.json");
  EXPECT_EQ(stage["status"], "failed");
  EXPECT_THAT(stage["failure"].get<std::string>(), HasSubstr("two adapters \"lora\""));
}

}  // namespace
}  // namespace rgm
