// pipeline_test.cpp - pipelines on the GPU in software: they learn what they learn elsewhere, and go on where it fails.
#include <sstream>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

class EmulatedPipeline : public TinyRun {
 protected:
  std::vector<double> losses(const std::string& backend, const std::string& more = "") const {
    const Said said = regimen("run p.yaml --force --out " + backend + " --backend " + backend + " " + more);
    EXPECT_EQ(said.status, 0) << said.err;
    std::vector<double> losses;
    std::istringstream lines(read_file(folder_ / backend / "base" / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const auto values = parse_json(line);
      if (values.contains("loss")) losses.push_back(values["loss"]);
    }
    return losses;
  }
};

TEST_F(EmulatedPipeline, LearnsWhatTheReferenceLearns) {
  write("p.yaml", "plugins: [" EMULATED_GPU "]\n" +
                      tiny(6, "    log: {every: 1}\n    evaluate: {every: 3}\n    sample: {prompt: the, tokens: 8}\n"));
  const std::vector<double> reference = losses("reference"), gpu = losses("cudnn");
  ASSERT_EQ(reference.size(), 6u);
  ASSERT_EQ(gpu.size(), 6u);
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(gpu[i], reference[i], 1e-4 * reference[i]);
  const std::vector<double> half = losses("cudnn", "--set stages.base.precision=bfloat16");
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(half[i], reference[i], 1e-2 * reference[i]);
  EXPECT_NE(half, gpu);
  // Steps are captured and replayed; one by one they are the same.
  const std::string weights = hash_of("cudnn/base/model/model.safetensors");
  EXPECT_EQ(losses("cudnn", "--set backend='{cudnn: {capture: false}}' --set stages.base.precision=bfloat16"), half);
  EXPECT_EQ(hash_of("cudnn/base/model/model.safetensors"), weights);
}

// The host reads which experts each token has, so no step is captured.
TEST_F(EmulatedPipeline, ExpertsLearnWhatTheyLearnOnTheReference) {
  write("p.yaml", "plugins: [" EMULATED_GPU "]\n" + tiny(3, "    log: {every: 1}\n"));
  const std::string experts = "--set stages.base.model.family=olmoe --set stages.base.model.experts=4";
  const std::vector<double> reference = losses("reference", experts), gpu = losses("cudnn", experts);
  ASSERT_EQ(reference.size(), 3u);
  ASSERT_EQ(gpu.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(gpu[i], reference[i], 1e-4 * reference[i]);
}

TEST_F(EmulatedPipeline, AttentionThatDropoutTakesFromCudnnIsToldOnceWithWhatToSet) {
  write("p.yaml", "plugins: [" EMULATED_GPU "]\n" + tiny(3));
  const Said said = regimen(
      "run p.yaml --backend cudnn --out out --set stages.base.precision=bfloat16 --set stages.base.model.dropout=0.1");
  ASSERT_EQ(said.status, 0) << said.err;
  const std::string text = "attention with dropout runs on a kernel of our own";
  const size_t first = said.err.find(text);
  ASSERT_NE(first, std::string::npos) << said.err;
  EXPECT_EQ(said.err.find(text, first + 1), std::string::npos) << said.err;
  EXPECT_THAT(said.err, testing::HasSubstr("`dropout: 0`"));
}

TEST_F(EmulatedPipeline, AGpuThatFallsAwayLeavesTheLastCheckpoint) {
  write("p.yaml", "plugins: [" EMULATED_GPU "]\n" + tiny(6, "    checkpoint: {every: 1}\n"));
  const std::string here = "cd " + folder_.string() + " && ";
  const Said whole = regimen("run p.yaml --backend cudnn --out whole");
  ASSERT_EQ(whole.status, 0) << whole.err;
  const Said first = rgm::regimen("run p.yaml --backend cudnn --out out", here + "EMULATED_GPU_LIFE=900");
  EXPECT_EQ(first.status, 1);
  EXPECT_THAT(first.err, testing::ContainsRegex("backend \"cudnn\" failed: .*unspecified launch failure"));
  const Said again = regimen("run p.yaml --backend cudnn --out out");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, testing::HasSubstr("base: resumed at step "));
  EXPECT_EQ(hash_of("out/base/model/model.safetensors"), hash_of("whole/base/model/model.safetensors"));
}

#ifndef REGIMEN_SANITIZED  // there blocks are the allocator's own, and these fit
TEST_F(EmulatedPipeline, GpuMemoryThatRunsOutIsToldByWhoHoldsIt) {
  write("p.yaml", "plugins: [" EMULATED_GPU "]\n" + tiny(3));
  const Said said = rgm::regimen("run p.yaml --backend cudnn --out out --set stages.base.batch=512",
                                 "cd " + folder_.string() + " && EMULATED_GPU_MEMORY=134217728");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, testing::HasSubstr("out of memory on cudnn: "));
  EXPECT_THAT(said.err, testing::HasSubstr(" of scratch"));
  EXPECT_THAT(said.err, testing::HasSubstr("weights 107 kB"));
  EXPECT_THAT(said.err, testing::HasSubstr("--set stages.base.micro_batch=256"));
}
#endif

}  // namespace
}  // namespace rgm
