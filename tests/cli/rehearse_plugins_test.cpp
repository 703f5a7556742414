// rehearse_plugins_test.cpp - what plug-ins throw at their options is told before anything is trained; what they read
// then is no verdict.
#include <gmock/gmock.h>

#include "cli/rehearsed_run.hpp"
#include "plugins/folder.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using Rehearsal = RehearsedRun;

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
  expect_told(picky("finetune", "    reward: {picky_reward: {pattern: \"[a\"}}\n"),
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

}  // namespace
}  // namespace rgm
