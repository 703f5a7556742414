// backend_test.cpp - the GPU's backend on the GPU in software: every kernel beside the reference.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "conformance/conformance.hpp"
#include "conformance/loader.hpp"

namespace rgm {
namespace {

using conformance::Backend;
constexpr const char* emulated = "../regimen-emulated/cudnn";

TEST(EmulatedBackend, AgreesWithTheReference) {
  Backend gpu(emulated), reference("reference");
  conformance::Options options = conformance::with_errors();
#ifdef REGIMEN_SANITIZED
  options.step = 5;
#endif
  const auto results = conformance::run(reference.opened, gpu.opened, options);
  EXPECT_TRUE(conformance::all_passed(results)) << conformance::table(results);
  std::puts(conformance::table(results).c_str());
}

// Log-probabilities of rounded logits are those of the reference within what bfloat16 can say, and so are gradients,
// which then lie where the logits did.
TEST(EmulatedBackend, LogitsMayBeRounded) {
  const Backend reference("reference"), gpu(emulated, "logits", "bfloat16");
  conformance::Options options = conformance::with_errors();
  options.filter = "head_loss";
  const auto results = conformance::run(reference.opened, gpu.opened, options);
  EXPECT_TRUE(conformance::all_passed(results)) << conformance::table(results);
}

// cuDNN's gradient keeps a number for each score: where these would be large, rows and heads go one after the other.
TEST(EmulatedBackend, TheGradientOfAttentionIsTheSameInParts) {
  const Backend reference("reference");
  conformance::Options options = conformance::with_errors();
  options.filter = "attention_grad";
  options.step = 5;
  const std::string runs = std::filesystem::temp_directory_path() / fmt::format("cudnn-runs-{}", getpid());
  const auto count_runs = [&] {
    const Backend gpu(emulated);
    const auto results = conformance::run(reference.opened, gpu.opened, options);
    EXPECT_TRUE(conformance::all_passed(results)) << conformance::table(results);
    const auto count = std::filesystem::file_size(runs);
    std::filesystem::remove(runs);
    return count;
  };
  setenv("EMULATED_CUDNN_RUNS", runs.c_str(), 1);
  const auto whole = count_runs();
  // 36 MB for a head of 33 tokens; a part is at most 256 MiB.
  setenv("EMULATED_CUDNN_BYTES_PER_SCORE", "32768", 1);
  const auto in_parts = count_runs();
  unsetenv("EMULATED_CUDNN_BYTES_PER_SCORE"), unsetenv("EMULATED_CUDNN_RUNS");
  EXPECT_GT(in_parts, whole);
}

}  // namespace
}  // namespace rgm
