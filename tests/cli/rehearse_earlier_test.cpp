// rehearse_earlier_test.cpp - what earlier stages and runs have left, or are yet to leave, is no mistake and stays.
#include <gmock/gmock.h>

#include "cli/rehearsed_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using Rehearsal = RehearsedRun;

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
