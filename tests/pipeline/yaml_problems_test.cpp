// yaml_problems_test.cpp - broken, strange and hostile YAML, and values of the command line, end in a message.
#include "fake_components.hpp"

namespace rgm::fake {
namespace {

using YamlProblems = PipelineTest;

TEST_F(YamlProblems, SetOfAnUnknownStage) {
  EXPECT_EQ(problems(right, set({"stages.bsae.steps=3"})),
            "--set stages.bsae.steps=3: there is no stage \"bsae\"; did you mean \"base\"?");
}

TEST_F(YamlProblems, SetWithoutEquals) {
  EXPECT_EQ(problems(right, set({"steps", "=3", "stages..a=3"})),
            "--set: \"steps\" should be KEY=VALUE, as in stages.base.steps=10\n"
            "--set: \"=3\" should be KEY=VALUE, as in stages.base.steps=10\n"
            "--set: \"stages..a=3\" should be KEY=VALUE, as in stages.base.steps=10");
}

TEST_F(YamlProblems, SetOfAWrongValue) {
  EXPECT_EQ(problems(right, set({"stages.base.steps=abc", "seed=-1"})),
            "--set stages.base.steps=abc: \"steps\" should be a whole number, 1 to 1000000000, got \"abc\"\n"
            "--set seed=-1: \"seed\" is -1, should be at least 0");
}

TEST_F(YamlProblems, SetOfAnUnknownKey) {
  EXPECT_EQ(problems(right, set({"stages.base.stepz=3", "stages.base.foo.bar=3"})),
            "--set stages.base.stepz=3: unknown key \"stepz\" in a stage; did you mean \"steps\"?\n"
            "--set stages.base.foo.bar=3: unknown key \"foo\" in a stage; it has: name, strategy, adapter, reward, "
            "optimizer, schedule, steps, epochs, batch, micro_batch, length, ensemble, clip, evaluate, log, "
            "checkpoint, keep, "
            "trainable, "
            "precision, weights, recompute, sample, demand, model, tokenizer, data");
}

// Where a stage's name stands at the beginning, its place among the keys is what is missing.
TEST_F(YamlProblems, SetThatBeginsWithAStage) {
  EXPECT_EQ(problems(right, set({"base.steps=3"})),
            "--set base.steps=3: \"base\" is a stage: write --set stages.base.steps=3");
}

TEST_F(YamlProblems, SetOfBrokenYaml) {
  EXPECT_EQ(problems(right, set({"stages.base.steps=[1, 2"})), "--set stages.base.steps=[1, 2: a \"[\" has no \"]\"");
}

TEST_F(YamlProblems, SetThroughAList) {
  EXPECT_EQ(problems(right + "    adapter: [low_rank]\n", set({"stages.base.adapter.low_rank.rank=3"})),
            "--set stages.base.adapter.low_rank.rank=3: \"stages.base.adapter\" is a list: set it as a whole");
}

TEST_F(YamlProblems, EmptyFile) {
  EXPECT_EQ(problems(""), "1:1: the file is empty: a pipeline begins with `regimen: 1` and has a list of stages");
}

TEST_F(YamlProblems, OnlyComments) {
  EXPECT_EQ(problems("# nothing\n"),
            "1:1: the file is empty: a pipeline begins with `regimen: 1` and has a list of stages");
}

TEST_F(YamlProblems, AScalarFile) {
  EXPECT_EQ(problems("hello\n"), "1:1: a pipeline should be a map, {key: value}, got \"hello\"");
}

TEST_F(YamlProblems, Tabs) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages:\n"
                     "\t- name: base\n"),
            "3:2: a tab in the indentation: YAML indents with spaces");
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages:\n"
                     "  - name: base\n"
                     "    data: {train: {text: a}}\n"
                     "\tsteps: 2\n"),
            "5:2: a tab in the indentation: YAML indents with spaces");
}

TEST_F(YamlProblems, WholeNumbersKeepEveryDigit) {
  EXPECT_EQ(problems("regimen: 1\nseed: 9007199254740993\n" + right.substr(right.find("stages:"))),
            "2:7: \"seed\" should be a whole number, at least 0 and at most 9007199254740992, got "
            "\"9007199254740993\"");
  EXPECT_EQ(problems("regimen: 1\nseed: 9007199254740992\n" + right.substr(right.find("stages:"))), "");
}

TEST_F(YamlProblems, TwoDocuments) {
  EXPECT_EQ(problems(right + "---\n"
                             "a: b\n"),
            "8:1: a second document begins (after ---): a pipeline is one");
}

TEST_F(YamlProblems, UnknownAlias) {
  EXPECT_EQ(problems("regimen: *one\n"),
            "1:10: an alias without an anchor before it: text that begins with * needs quotes");
}

TEST_F(YamlProblems, AliasOfItself) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages: &a [*a]\n"),
            "2:13: an alias is inside what it stands for, which would never end");
}

TEST_F(YamlProblems, OpenFlow) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "stages: [{name: a\n"),
            "2:1: a \"{\" has no \"}\"");
}

TEST_F(YamlProblems, OpenQuote) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "name: \"a\n"),
            "2:9: a quoted text does not end");
}

TEST_F(YamlProblems, ColonInText) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "name: a: b\n"),
            "2:8: a \":\" where no key can be: look for a wrong indentation, or put the text in quotes");
}

TEST_F(YamlProblems, MergeKeys) {
  EXPECT_EQ(problems(right + "    <<: 3\n"), "8:5: `<<` takes a map or a list of maps, as in `<<: *base`");
  EXPECT_EQ(problems(right + "    <<: {stepz: 3}\n"),
            "8:10: unknown key \"stepz\" in a stage; did you mean \"steps\"?");
}

TEST_F(YamlProblems, WhatAnAliasRepeatsIsToldOnce) {
  const std::string twice = right +
                            "    optimizer: &o {adamw: {learning_rat: 1}}\n  - name: more\n    strategy: pretrain\n"
                            "    model: {from: base}\n    data: {train: {text: a.txt}}\n    optimizer: *o\n";
  EXPECT_THAT(problems(twice), testing::StartsWith("8:28: "));
  EXPECT_EQ(problems(twice).find("8:28: ", 1), std::string::npos) << problems(twice);
}

TEST_F(YamlProblems, ComplexKeys) {
  EXPECT_EQ(problems("regimen: 1\n"
                     "[a]: 3\n"),
            "2:1: a key should be a word, as in `key: value`");
}

TEST_F(YamlProblems, NotUtf8NamesTheByte) {
  EXPECT_EQ(problems("regimen: 1\nname: caf\xe9\n"), "2:10: byte 20 (0xe9) is not UTF-8: save the file as UTF-8");
}

TEST_F(YamlProblems, ControlCharacters) {
  EXPECT_EQ(problems("regimen: 1\nname: a\x01\n"), "2:8: byte 18 (0x01) is a control character, expected text");
}

TEST_F(YamlProblems, TenMegabytesOfNesting) {
  const std::string much(10'000'000, '[');
  EXPECT_EQ(problems(much), "1:1: 10.0 MB long, but a pipeline has at most 1.00 MB");
  for (const char* piece : {"[", "{", "- ", "? ", "[{"}) {
    std::string deep;
    while (deep.size() < 900'000) deep += piece;
    EXPECT_NE(problems(deep).find("nested more than 64 levels deep: a pipeline needs about six"), std::string::npos)
        << piece;
  }
}

TEST_F(YamlProblems, AliasBombs) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int k = 0; k < 10; ++k) bomb += fmt::format("{}*a{}", k ? ", " : "", i - 1);
    bomb += "]\n";
  }
  EXPECT_EQ(problems(bomb), "5:45: more than 100,000 values, with aliases written out: a pipeline is far smaller");
}

TEST_F(YamlProblems, NoByteOfAPipelineMakesItCrash) {
  const std::string text = one_stage("    steps: 1\n    adapter: {low_rank: {rank: 3}}\n");
  for (size_t i = 0; i < text.size(); i += 3)
    for (const char c : {'{', ']', ':', '&', '*', '"', '\t', '\n', '!', '?'}) {
      std::string broken = text;
      broken[i] = c;
      problems(broken);
      problems(text.substr(0, i) + c);
    }
}

TEST_F(YamlProblems, HostileValuesOnTheCommandLine) {
  EXPECT_EQ(problems(right, set({"stages.base.steps=" + std::string(100, '[')})).substr(0, 30),
            "--set stages.base.steps=[[[[[[");
  EXPECT_EQ(problems(right, set({"stages.base.name=\xff"})),
            "--set stages.base.name=\xff: byte 0 (0xff) is not UTF-8: save the file as UTF-8");
}

}  // namespace
}  // namespace rgm::fake
