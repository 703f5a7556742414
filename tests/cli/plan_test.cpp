// plan_test.cpp - `regimen check` and `regimen plan`: mistakes with their places, and what a run would take.
#include <gmock/gmock.h>

#include <algorithm>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"
#include "pipeline/plan.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

// 300 held-out tokens, 50 a step: one look at them is 6 steps forward, which are 2 whole ones.
TEST(Plan, EvaluationsAreAThirdOfTheirTokensInSteps) {
  EXPECT_EQ(evaluations_in_steps(100, 0, 300, 50), 2);
  EXPECT_EQ(evaluations_in_steps(100, 20, 300, 50), 10) << "at 20, 40, 60, 80 and 100";
  EXPECT_EQ(evaluations_in_steps(90, 20, 300, 50), 10) << "at 20, 40, 60, 80 and 90";
  EXPECT_EQ(evaluations_in_steps(100, 20, 300, 0), 0);
  EXPECT_EQ(evaluations_in_steps(100, 20, 300, 50, 0.25), 2.5) << "three quarters of a step are the optimizer's";
}

// The device that only counts draws no tokens either.
TEST_F(TinyRun, AStageThatSamplesIsPlanned) {
  write("p.yaml", tiny(3, "    sample: {prompt: the, tokens: 5}\n"));
  const Said said = regimen("plan p.yaml --backend reference");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("sample.tokens"));
}

TEST_F(TinyRun, FiveMistakesGetFiveMessages) {
  write("p.yaml",
        "regimen: 1\n"
        "stages:\n"
        "  - name: base\n"
        "    strategy: pretrian\n"
        "    model: {family: gpt2, layers: two, heads: 2, channels: 32, context: 16}\n"
        "    data: {train: {text: missing.txt}}\n"
        "    optimiser: {adamw: {learning_rate: 1e-3}}\n"
        "    steps: 20\n"
        "    batch: 0\n");
  for (const char* command : {"check p.yaml", "run p.yaml", "plan p.yaml"}) {
    const Said said = regimen(command);
    EXPECT_EQ(said.status, 2) << command;
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 5) << said.err;
    for (const char* place : {"p.yaml:4:15: ", "p.yaml:5:35: ", "p.yaml:6:26: ", "p.yaml:7:5: ", "p.yaml:9:12: "})
      EXPECT_THAT(said.err, HasSubstr(place));
  }
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
}

TEST_F(TinyRun, ARightPipelineHasNoProblems) {
  write("p.yaml", tiny(20));
  const Said said = regimen("check p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out, "p.yaml: 1 stage, no problems\n");
}

TEST_F(TinyRun, APlanSaysSizesValuesMemoryAndTime) {
  write("p.yaml", tiny(20));
  const Said said = regimen("plan p.yaml --set stages.base.data.train.begin=0.1");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.out, testing::ContainsRegex("data.train.begin +0.1\n"));
  EXPECT_THAT(said.err, testing::Not(HasSubstr("warning"))) << "of steps that were only tried";
  // 2 layers of 12 C^2 + 13 C, (vocabulary + context) C, last norm 2 C; the text has 25 characters
  EXPECT_THAT(said.out, HasSubstr("26,784, 26,784 trained"));
  for (const char* part : {"memory ", "about ", "optimizer.adamw.learning_rate         0.001", "20 of 4 rows"})
    EXPECT_THAT(said.out, HasSubstr(part));
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
}

// 25 characters of 32 channels; and biases of 11 times 32 in each of 2 layers, and of the last norm.
TEST_F(TinyRun, APlanSaysHowManyParametersHaveWhichRate) {
  write("p.yaml", tiny(2,
                       "    optimizer: {adamw: {learning_rate: 0.004, rates: {embedding.weight: 0.002, \"*.bias\": "
                       "0.001}}}\n"));
  const Said said = regimen("plan p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
  for (const char* part :
       {"  rate          0.002: 800 parameters, embedding.weight\n", "  rate          0.001: 736 parameters, *.bias\n",
        "  rate          0.004: 25,248 parameters, all others\n"})
    EXPECT_THAT(said.out, HasSubstr(part));
  EXPECT_THAT(
      regimen("plan p.yaml --set 'stages.base.optimizer.adamw.rates={embeding.weight: 1}'").err,
      HasSubstr("stage \"base\": optimizer: rates: no trained parameter matches \"embeding.weight\"; did you mean "
                "\"embedding.weight\"?"));
}

// A line break in a value is none of the table's.
TEST_F(TinyRun, APlanKeepsEveryValueInItsLine) {
  write("p.yaml", tiny(2, "    sample: {prompt: \"the\\n\"}\n"));
  const Said said = regimen("plan p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("    sample.prompt                         \"the\\n\"\n"));
}

// Opened once to be counted and once to be tried, it is cut alike: 22 characters of a context of 16.
TEST_F(TinyRun, APlanWarnsOnce) {
  write("rows.tsv", "text\nthe cat sat on the mat\n");
  write("p.yaml", tiny(1));
  const Said said = regimen("plan p.yaml --set 'stages.base.data={train: {tsv: rows.tsv}}'");
  EXPECT_EQ(said.status, 0) << said.err;
  const size_t first = said.err.find("are cut there");
  EXPECT_NE(first, said.err.npos) << said.err;
  EXPECT_EQ(said.err.find("are cut there", first + 1), said.err.npos) << said.err;
}

// However much held-out data stands behind one step or many: a step is as small, and is tried on the device itself,
// whose backend keeps memory of its own.
TEST_F(TinyRun, EvaluationsDoNotChangeThePlannedMemory) {
#ifdef REGIMEN_SANITIZED
  GTEST_SKIP() << "the sanitizer holds on to freed memory, so that every step takes more";
#endif
  std::string text;
  for (int i = 0; i < 20'000; ++i)
    text += "the cat sat on the mat and the dog ran " + std::to_string(i % 60) + " times\n";
  write("long.txt", text);
  write("p.yaml", tiny(1));
  const auto planned = [&](const std::string& steps) {
    const Said said = regimen("plan p.yaml --json --backend onednn --set stages.base.steps=" + steps +
                              " --set stages.base.model.channels=128 --set stages.base.model.context=64 --set "
                              "'stages.base.data={train: {text: text.txt}, validation: {text: long.txt}}'");
    EXPECT_EQ(said.status, 0) << said.err;
    return said.status == 0 ? parse_json(said.out)[0]["peak_memory_bytes"].get<double>() : 0;
  };
  EXPECT_GT(planned("1"), 0.92 * planned("100000"));
}

TEST_F(TinyRun, ThePlannedMemoryIsWithinATenthOfTheMeasured) {
#ifdef REGIMEN_SANITIZED
  GTEST_SKIP() << "the sanitizer holds on to freed memory, so that every step takes more";
#endif
  write("p.yaml", tiny(3, "    checkpoint: {every: 2}\n"));
  const std::string wider = " --set stages.base.model.channels=128 --set stages.base.model.context=64";
  const Said plan = regimen("plan p.yaml --json" + wider);
  ASSERT_EQ(plan.status, 0) << plan.err;
  ASSERT_EQ(regimen("run p.yaml" + wider).status, 0);
  const double planned = parse_json(plan.out)[0]["peak_memory_bytes"];
  const double measured = json("runs/tiny/base/stage.json")["result"]["peak_memory_bytes"];
  EXPECT_NEAR(planned / measured, 1, 0.1);
}

}  // namespace
}  // namespace rgm
