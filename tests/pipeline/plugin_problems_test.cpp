// plugin_problems_test.cpp - plug-ins that are not known, their options, and what does not go with them.
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using PipelineProblems = PipelineTest;

TEST_F(PipelineProblems, UnknownPlugins) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "backend: chop\n"
                     "stages:\n"
                     "  - name: base\n"
                     "    strategy: pretrian\n"
                     "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8}\n"
                     "    data: {train: {text: a.txt}}\n"
                     "    steps: 1\n"
                     "    adapter: [low_rank, lowrank]\n"),
            "2:10: backend \"chop\" is not known; did you mean \"chip\"?\n"
            "5:15: strategy \"pretrian\" is not known; did you mean \"pretrain\"?\n"
            "9:25: adapter \"lowrank\" is not known; did you mean \"low_rank\"?");
}

TEST_F(PipelineProblems, OptionsOfPlugins) {
  EXPECT_EQ(problems(right + "    adapter: {low_rank: {lora_r: 3, alpha: strong, rank: 0}}\n"),
            "8:26: adapter \"low_rank\": option \"lora_r\" is called \"rank\" here\n"
            "8:44: adapter \"low_rank\": option \"alpha\" should be a number, got \"strong\"\n"
            "8:58: adapter \"low_rank\": option \"rank\" is 0, its range is 1 to 1024");
}

TEST_F(PipelineProblems, OptionsOnNoOptions) {
  EXPECT_EQ(problems(with_line(4, "    strategy: {pretrain: {a: 1}}")),
            "4:27: strategy \"pretrain\": option \"a\" is not known; it has no options");
}

TEST_F(PipelineProblems, TwoComponentsWhereOneIsMeant) {
  EXPECT_EQ(problems(with_line(4, "    strategy: {pretrain: {}, sample: {}}")),
            "4:15: \"strategy\" should be one strategy, as `id` or `{id: {options}}`, got a map of 2");
}

TEST_F(PipelineProblems, RequiredOptions) {
  EXPECT_EQ(problems(right + "    reward: words\n"),
            "8:5: strategy \"pretrain\" asks no reward for scores: leave \"reward\" out\n"
            "8:13: reward \"words\": option \"words\" must be given: a list");
}

TEST_F(PipelineProblems, FilesOfOptions) {
  EXPECT_EQ(problems(right + "    reward: {words: {words: none.txt}}\n"),
            "8:5: strategy \"pretrain\" asks no reward for scores: leave \"reward\" out\n"
            "8:29: reward \"words\": option \"words\": there is no file \"none.txt\" (looked for none.txt, "
            "data/none.txt): put it into data, or set REGIMEN_DATA to the folder that has it");
}

TEST_F(PipelineProblems, RolesThatAStrategyHasNot) {
  EXPECT_EQ(problems(right + "    teacher: {from: base}\n"), "8:5: strategy \"pretrain\" uses no \"teacher\"");
}

TEST_F(PipelineProblems, AnAccuracyThatTheStrategyDoesNotReport) {
  EXPECT_EQ(problems(right + "    demand: {accuracy: 0.6}\n"),
            "8:14: strategy \"pretrain\" reports no \"accuracy\": it is judged by its loss, and what it measures on "
            "held-out data is called validation_…; demand validation_loss: {at_most: NUMBER}");
}

TEST_F(PipelineProblems, QuestionsHaveAnAccuracyButNoValidationLoss) {
  const std::string asks = with_line(6, "    data: {train: {text: a.txt}, choices: {jsonl: p.jsonl}}");
  EXPECT_EQ(problems(asks + "    demand: {accuracy: 0.6}\n"), "");
  EXPECT_EQ(problems(asks + "    demand: {validation_loss: {at_most: 2}}\n"),
            "8:14: \"validation_loss\" is measured on held-out data, and there is none: add data: {validation: {split: "
            "0.1}}, or a file");
}

TEST_F(PipelineProblems, RewardsThatWereNotLearned) {
  EXPECT_EQ(problems(right + "  - {name: o, strategy: online, model: {from: base}, reward: {from: base}, data: "
                             "{prompts: {jsonl: p.jsonl}}}\n"),
            "8:69: stage \"base\" learns no reward: name the reward that it should learn there, or give its model a "
            "head that scores, as in head: {classify: {labels: [negative, positive]}}");
}

TEST_F(PipelineProblems, DefaultsThatAreWrong) {
  EXPECT_EQ(problems(with_line(4, "    strategy: mistaken")),
            "4:5: the defaults of strategy \"mistaken\" are wrong, update the plug-in: unknown key \"optimiser\" in a "
            "stage; did you mean \"optimizer\"?");
}

TEST_F(PipelineProblems, PluginsNeedAPath) {
  EXPECT_EQ(problems("plugins: [{sha256: a}]\n"
                     "regimen: 1\n"
                     "stages:\n"
                     "  - name: base\n"
                     "    strategy: pretrain\n"
                     "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8}\n"
                     "    data: {train: {text: a.txt}}\n"
                     "    steps: 1\n"),
            "1:11: \"path\" is missing: write {path: FILE, sha256: …}");
}

}  // namespace
}  // namespace rgm::fake
