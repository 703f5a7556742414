// merge_test.cpp - `regimen merge`: a model with its adapter folded in, whole or not at all.
#include <gmock/gmock.h>

#include <unistd.h>

#include "cli/adapter_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST_F(AdapterTest, MergedItIsAModelOfItsOwn) {
  write("p.yaml",
        tiny(20, stage("tuned", "base", "    steps: 30\n    adapter: {lora: {rank: 4, alpha: 8, dora: true}}\n")));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  // Of a merge that was killed, of one that is at work, and of another folder's.
  const std::string gone = "merged.tmp999999999", there = "merged.tmp" + std::to_string(::getpid()),
                    other = "merged2.tmp999999999";
  for (const std::string& folder : {gone, there, other}) {
    fs::create_directories(folder_ / folder);
    write(folder + "/model.safetensors", "half");
  }
  const Said said = regimen("merge --model runs/tiny/tuned --out merged");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_FALSE(fs::exists(folder_ / gone));
  EXPECT_TRUE(fs::exists(folder_ / there));
  EXPECT_TRUE(fs::exists(folder_ / other));
  EXPECT_THAT(said.err, HasSubstr("merged into merged; its answers differ by "));
  EXPECT_NEAR(evaluated("--model merged")["loss"], double(evaluated("--model runs/tiny/tuned")["loss"]), 1e-5);
  const Said again = regimen("merge --model runs/tiny/tuned --out merged");
  EXPECT_EQ(again.status, 2);
  EXPECT_THAT(again.err, HasSubstr("merged already exists"));
  EXPECT_THAT(regimen("merge --model runs/tiny/tuned --out merged/").err, HasSubstr("merged/ already exists"));
  ASSERT_EQ(regimen("merge --model runs/tiny/tuned --out deep/other/").status, 0);
  EXPECT_EQ(hash_of("deep/other/model.safetensors"), hash_of("merged/model.safetensors"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "deep"), {}), 1) << "nothing else is left there";
}

// What is cut off by the limit on the size of files is removed.
TEST_F(AdapterTest, AMergeThatFailsLeavesNothing) {
  write("p.yaml", tiny(5, stage("tuned", "base", "    steps: 5\n    adapter: {lora: {rank: 1}}\n")));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  fs::create_directories(folder_ / "to");
  const Said said =
      rgm::regimen("merge --model runs/tiny/tuned --out to/merged", in_folder() + "trap '' XFSZ && ulimit -f 20 &&");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr("cannot be written"));
  EXPECT_TRUE(fs::is_empty(folder_ / "to"));
}

TEST_F(AdapterTest, WhatCannotBeMergedIsLeftAlone) {
  write("p.yaml", tiny(5, stage("tuned", "base", "    steps: 5\n    adapter: {soft_prompt: {length: 2}}\n")));
  ASSERT_EQ(regimen("run p.yaml").status, 0);
  const Said said = regimen("merge --model runs/tiny/tuned --out merged");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("adapter \"soft_prompt\" cannot be merged: it puts vectors in front of the text"));
  EXPECT_FALSE(fs::exists(folder_ / "merged"));
  const Said none = regimen("merge --model runs/tiny/base --out merged");
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("has no adapter; give one with --adapter DIR"));
}

}  // namespace
}  // namespace rgm
