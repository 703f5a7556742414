// problems_test.cpp - what is wrong with a pipeline is said with its place, all at once, and in these words.
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using PipelineProblems = PipelineTest;

TEST_F(PipelineProblems, FiveMistakesGiveFiveMessages) {
  EXPECT_EQ(problems(R"(regimen: 1
stages:
  - name: base
    strategy: pretrane
    model: {family: gpt2, layers: 0, heads: 3, channels: 8, context: 8}
    data: {train: {text: a.txt}}
    steps: many
    bacth: 12
)"),
            "4:15: strategy \"pretrane\" is not known; did you mean \"pretrain\"?\n"
            "5:35: \"model.layers\" is 0, should be 1 to 1000\n"
            "5:58: 8 channels cannot be shared by 3 heads: channels should be a multiple of heads\n"
            "7:12: \"steps\" should be a whole number, 1 to 1000000000, got \"many\"\n"
            "8:5: unknown key \"bacth\" in a stage; did you mean \"batch\"?");
}

TEST_F(PipelineProblems, ForeignNamesAreAnswered) {
  EXPECT_EQ(problems(one_stage("    num_train_epochs: 3\n"
                               "    lr: 0.1\n"
                               "    lora_r: 8\n"
                               "    target_modules: [q]\n"
                               "    seed: 3\n"
                               "    max_grad_norm: 1\n")),
            "7:5: unknown key \"num_train_epochs\" in a stage: here it is \"epochs\"\n"
            "8:5: unknown key \"lr\" in a stage: write optimizer: {adamw: {learning_rate: …}}\n"
            "9:5: unknown key \"lora_r\" in a stage: here it is \"rank\", an option of the adapter: adapter: {ID: "
            "{rank: …}}\n"
            "10:5: unknown key \"target_modules\" in a stage: here it is \"sites\", an option of the adapter: adapter: "
            "{ID: {sites: […]}}\n"
            "11:5: unknown key \"seed\" in a stage: it belongs at the top of the file, not in a stage\n"
            "12:5: unknown key \"max_grad_norm\" in a stage: here it is \"clip\"");
}

TEST_F(PipelineProblems, ForeignNamesOfTheLength) {
  std::string lines, told;
  int line = 8;
  for (const char* name :
       {"max_length", "max_seq_length", "cutoff_len", "block_size", "model_max_length", "sequence_len"}) {
    lines += fmt::format("    {}: 4\n", name);
    told += fmt::format("{}{}:5: unknown key \"{}\" in a stage: here it is \"length\", the most tokens of a row",
                        told.empty() ? "" : "\n", line++, name);
  }
  EXPECT_EQ(problems(right + lines), told);
}

TEST_F(PipelineProblems, UnknownKeysListWhatThereIs) {
  EXPECT_EQ(
      problems("regimen: 1\n"
               "foo: 2\n"
               "stages:\n"
               "  - name: base\n"
               "    strategy: pretrain\n"
               "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8}\n"
               "    data: {train: {text: a.txt}}\n"
               "    steps: 1\n"
               "    wibble: 3\n"),
      "2:1: unknown key \"foo\" in a pipeline; it has: regimen, name, seed, plugins, backend, processes, collective, "
      "stages\n"
      "9:5: unknown key \"wibble\" in a stage; it has: name, strategy, adapter, reward, optimizer, schedule, "
      "steps, epochs, batch, micro_batch, length, ensemble, clip, evaluate, log, checkpoint, keep, trainable, "
      "precision, "
      "weights, "
      "recompute, sample, demand, model, tokenizer, data");
}

TEST_F(PipelineProblems, VersionIsRequired) {
  EXPECT_EQ(problems("stages:\n"
                     "  - name: base\n"
                     "    strategy: pretrain\n"
                     "    model: {family: gpt2, layers: 1, heads: 2, channels: 8, context: 8}\n"
                     "    data: {train: {text: a.txt}}\n"
                     "    steps: 1\n"),
            "1:1: \"regimen\" is missing: begin with `regimen: 1`, the version of this grammar");
}

TEST_F(PipelineProblems, OtherVersionsAreRefused) {
  EXPECT_EQ(problems(with_line(1, "regimen: 2")),
            "1:10: \"regimen\" should be 1, the version of the grammar that this program reads, got \"2\": update the "
            "program, or see the changelog");
}

TEST_F(PipelineProblems, StagesAreRequired) {
  EXPECT_EQ(problems("regimen: 1\n"),
            "1:1: \"stages\" should be a list of at least one stage: stages: [{name: …, strategy: …}]");
}

TEST_F(PipelineProblems, StagesAreAList) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages: {base: 1}\n"),
            "2:9: \"stages\" should be a list of at least one stage: stages: [{name: …, strategy: …}]");
}

TEST_F(PipelineProblems, StageHasToBeAMap) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages: [base]\n"),
            "2:10: a stage should be a map, {key: value}, got \"base\"");
}

TEST_F(PipelineProblems, StageWithNothing) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages: [{}]\n"),
            "2:10: stage 1 has no \"name\": its results go into a folder of that name\n"
            "2:10: stage \"stage-1\" has no \"strategy\", which says what it does: add strategy: ID\n"
            "2:10: stage \"stage-1\" has no \"model\": write {family: …} with sizes, or {from: STAGE or DIR}");
}

TEST_F(PipelineProblems, NamesAreFolders) {
  EXPECT_EQ(problems(with_line(3, "  - name: ../Base")),
            "3:11: \"name\" should be a word of a-z, 0-9, _ and -, at most 64 of them, got \"../Base\"");
}

TEST_F(PipelineProblems, TwoStagesOfOneName) {
  EXPECT_EQ(
      problems(right +
               "  - {name: base, strategy: pretrain, model: {from: base}, data: {train: {text: a.txt}}, steps: 1}\n"),
      "8:12: there are two stages \"base\": each needs a name of its own");
}

TEST_F(PipelineProblems, DuplicateKeys) {
  EXPECT_EQ(problems(right + "    steps: 2\n"), "8:5: key \"steps\" is given twice, first in line 7");
}

TEST_F(PipelineProblems, SamplesNeedAPrompt) {
  EXPECT_EQ(problems(right + "    sample: {tokens: 5}\n"),
            "8:13: \"sample\" has no prompt to continue: add prompt: \"Once upon a time\"");
  EXPECT_EQ(problems(right + "    sample: {promt: a}\n"),
            "8:14: unknown key \"promt\" in sample; did you mean \"prompt\"?");
  EXPECT_EQ(problems(right + "    sample: {count: 0}\n"), "");
}

TEST_F(PipelineProblems, TextsThatEndASample) {
  for (const char* stop : {"stop: \"\\n\"", "stop: [End, \"\\n\\n\"]", "stop: []"})
    EXPECT_EQ(problems(right + "    sample: {prompt: a, " + stop + "}\n"), "") << stop;
  EXPECT_EQ(problems(right + "    sample: {prompt: a, stop: [b, '']}\n"),
            "8:31: \"sample.stop\" has an empty text, which ends nothing: leave it out");
  EXPECT_EQ(problems(right + "    sample: {prompt: a, stop: {b: c}}\n"),
            "8:31: \"sample.stop\" should be text, got a map");
  EXPECT_EQ(problems(right + "    sample: {prompt: a, stop_strings: [b]}\n"),
            "8:25: unknown key \"stop_strings\" in sample: here it is \"stop\"");
  EXPECT_EQ(problems(right + "    sample: {prompt: a, wibble: b}\n"),
            "8:25: unknown key \"wibble\" in sample; it has: prompt, tokens, temperature, top_k, top_p, min_p, "
            "repetition_penalty, stop, count");
}

TEST_F(PipelineProblems, TheCacheIsNoStage) {
  EXPECT_EQ(problems(with_line(3, "  - name: cache")),
            "3:11: \"cache\" is the folder of a run where tokenised text is kept: call the stage something else");
}

TEST_F(PipelineProblems, WhatThisVersionHasNot) {
  EXPECT_EQ(problems(right + "    precision: float16\n"
                             "    weights: int8\n"),
            "8:16: \"precision\" should be one of float32, bfloat16, got \"float16\"; did you mean \"bfloat16\"?\n"
            "9:14: \"weights\" should be one of float32, bfloat16, nf4, got \"int8\"");
}

}  // namespace
}  // namespace rgm::fake
