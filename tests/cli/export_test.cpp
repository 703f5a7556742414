// export_test.cpp - `regimen export`: one file for llama.cpp, whole or not at all.
#include <gmock/gmock.h>

#include "artefact/gguf_reader.hpp"
#include "cli/adapter_run.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ExportTest : public AdapterTest {
 protected:
  static std::string text_stage(const std::string& adapter) {
    return "  - name: tuned\n    strategy: finetune\n    batch: 4\n    steps: 10\n    model: {from: base}\n"
           "    optimizer: {adamw: {learning_rate: 1e-2}}\n    data: {train: {text: text.txt}}\n    adapter: " +
           adapter + "\n";
  }
  void run(const std::string& more) {
    write("p.yaml", tiny(5, more));
    const Said said = regimen("run p.yaml");
    ASSERT_EQ(said.status, 0) << said.err;
  }
};

// Rank-stabilised, an adapter of rank 4 and alpha 8 counts 4 times, and not 2.
TEST_F(ExportTest, AnAdapterIsInTheFileAsMergeFoldsIt) {
  run(text_stage("{lora: {rank: 4, alpha: 8, rslora: true}}"));
  const Said said = regimen("export --model runs/tiny/tuned --out m.gguf --type float32");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("wrote m.gguf, 28 tensors in float32"));
  ASSERT_EQ(regimen("merge --model runs/tiny/tuned --out merged").status, 0);
  fs::create_directory(folder_ / "other");
  ASSERT_EQ(regimen("export --model merged --out other/m.gguf --type float32").status, 0);
  EXPECT_EQ(hash_of("m.gguf"), hash_of("other/m.gguf"));
  ASSERT_EQ(regimen("export --model runs/tiny/base --adapter runs/tiny/tuned --out again.gguf").status, 0);
  const test::ReadGguf file(folder_ / "again.gguf");
  EXPECT_THAT(file.texts.at("general.architecture"), ElementsAre("gpt2"));
  EXPECT_THAT(file.numbers.at("general.file_type"), ElementsAre(1)) << "float16 where nothing is said";
  EXPECT_THAT(file.texts.at("general.name"), ElementsAre("again"));
}

TEST_F(ExportTest, WhatHasNoPlaceInTheFileIsRefusedAndLeavesNone) {
  run(text_stage("{soft_prompt: {length: 2}}") + stage("classes", "base", "    steps: 2\n"));
  const Said prompt = regimen("export --model runs/tiny/tuned --out m.gguf");
  EXPECT_EQ(prompt.status, 2);
  EXPECT_THAT(prompt.err, HasSubstr("export: adapter \"soft_prompt\" cannot be merged: it puts vectors in front of the "
                                    "text; GGUF has no place for it: use the model here"));
  const Said head = regimen("export --model runs/tiny/classes --out m.gguf");
  EXPECT_EQ(head.status, 2);
  EXPECT_THAT(head.err, HasSubstr("export: runs/tiny/classes: the model has a head of its own for labels or scores"));
  EXPECT_FALSE(fs::exists(folder_ / "m.gguf"));
}

TEST_F(ExportTest, AFileThatCannotBeWrittenWholeIsNotThere) {
  run("");
  write("m.gguf", "old");
  const Said said =
      rgm::regimen("export --model runs/tiny/base --out m.gguf", in_folder() + "trap '' XFSZ && ulimit -f 20 &&");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("m.gguf: cannot be written"));
  EXPECT_EQ(read_file(folder_ / "m.gguf"), "old");
  for (const auto& entry : fs::directory_iterator(folder_))
    EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr(".tmp")));
}

TEST_F(ExportTest, OptionsThatAreMissingOrUnknownAreNamed) {
  EXPECT_THAT(regimen("export --out m.gguf").err, HasSubstr("export: which model? As in --model runs/tuned/lora"));
  EXPECT_THAT(regimen("export --model x").err, HasSubstr("export: into which file? As in --out model.gguf"));
  EXPECT_THAT(regimen("export --model x --out .").err, HasSubstr("export: . is a folder; name a file"));
  const Said folder = regimen("export --model x --out none/m.gguf");
  EXPECT_EQ(folder.status, 2);
  EXPECT_THAT(folder.err, HasSubstr("export: --out none/m.gguf: there is no folder none: make it first"));
  const Said type = regimen("export --model x --out m.gguf --type q4_k_m");
  EXPECT_EQ(type.status, 2);
  EXPECT_THAT(type.err, HasSubstr("\"q4_k_m\" is not a type that weights are written in here, only float32, float16"));
}

}  // namespace
}  // namespace rgm
