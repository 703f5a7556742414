// gkd_test.cpp - a student that learns on its own answers: that it does, what a pipeline can have wrong, and a run that
// is killed on the way.
#include "cli/rlhf.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class OwnAnswers : public RlhfTest {
 protected:
  // A teacher that has seen more than the base, and a student that begins as the base.
  static std::string student(const std::string& options, const std::string& data, const std::string& more,
                             int taught = 5) {
    return with(
        "  - name: teacher\n    strategy: pretrain\n    model: {from: base}\n    data: {train: {text: text.txt}}\n"
        "    optimizer: {adamw: {learning_rate: 1e-2}}\n    batch: 4\n    steps: " +
        std::to_string(taught) + "\n  - name: student\n    strategy: {gkd: {max_tokens: 5" + options +
        "}}\n    model: {from: base}\n    teacher: {from: teacher}\n    data: {" + data +
        "}\n    optimizer: {adamw: {learning_rate: 5e-3}}\n    batch: 4\n" + more);
  }
  static constexpr const char* prompts = "prompts: {jsonl: prompts.jsonl}";
  static constexpr const char* both = "prompts: {jsonl: prompts.jsonl}, train: {text: text.txt}";

  // What `check` says of the stage.
  std::string problems(const std::string& options, const std::string& data) const {
    write("p.yaml", student(options, data, "    steps: 1\n"));
    return regimen("check p.yaml").err;
  }
};

TEST_F(OwnAnswers, BringTheStudentToItsTeacher) {
  write("p.yaml", student("", std::string(prompts) + ", validation: {split: 0.5}",
                          "    steps: 30\n    evaluate: {every: 3}\n    log: {every: 1}\n"
                          "    keep: {best: {divergence: lowest}}\n",
                          60));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto lines = json_lines("runs/tiny/student/metrics.jsonl");
  ASSERT_EQ(lines.size(), 40U);  // 30 steps, and every third an evaluation
  const double first = lines[3]["validation_divergence"], best = result("student")["divergence"];
  EXPECT_LT(best, first / 2);
  for (const char* key : {"divergence", "length", "finished"}) EXPECT_TRUE(lines[0].contains(key)) << key;
  EXPECT_FALSE(lines[0].contains("text_divergence"));
}

// 12 prompts, 4 a rollout of 2 steps.
TEST_F(OwnAnswers, StandBesideTextsInEveryStep) {
  write("p.yaml", student(", on_policy: 0.5, minibatches: 2, divergence: js, js_weight: 0.3, share: 0.5", both,
                          "    epochs: 1\n    log: {every: 1}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result("student")["steps"], 6);
  const auto lines = json_lines("runs/tiny/student/metrics.jsonl");
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_TRUE(lines[i].contains("text_divergence")) << i;
    EXPECT_EQ(lines[i].contains("length"), i % 2 == 0) << "answers are drawn in every second step, not in " << i;
  }
}

TEST_F(OwnAnswers, SourcesThatAreMissingOrNotReadAreTold) {
  EXPECT_EQ(problems("", prompts), "");
  EXPECT_EQ(problems(", on_policy: 0.5", both), "");
  EXPECT_THAT(problems("", both), HasSubstr("strategy \"gkd\" does not read \"train\" with the options given here"));
  EXPECT_THAT(problems(", on_policy: 0.5", prompts),
              HasSubstr("strategy \"gkd\" reads \"train\" with the options given "
                        "here, but there is none: add train: {FORMAT: FILE}"));
  EXPECT_THAT(problems(", on_policy: 0.5", "train: {text: text.txt}"),
              HasSubstr("strategy \"gkd\" reads \"prompts\" with prompt: write data: {prompts: {FORMAT: FILE}}"));
  EXPECT_THAT(problems(", lmbda: 0.5", prompts), HasSubstr("option \"lmbda\" is called \"on_policy\" here"));
  EXPECT_THAT(problems(", beta: 0.5", prompts), HasSubstr("option \"beta\" is called \"js_weight\" here"));
}

// Two steps a rollout and a checkpoint every three: it goes on inside a rollout, with the answers that it had.
TEST_F(OwnAnswers, ARunThatIsKilledEndsWithTheSameBits) {
  write("p.yaml", student(", on_policy: 0.5, minibatches: 2", both, "    steps: 40\n    checkpoint: {every: 3}\n"));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  kill_and_resume("student/checkpoint/step-3");
  EXPECT_EQ(hash_of("killed/student/model/model.safetensors"), hash_of("whole/student/model/model.safetensors"));
}

}  // namespace
}  // namespace rgm
