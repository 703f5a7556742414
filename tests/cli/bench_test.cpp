// bench_test.cpp - `regimen bench FILE` as a user types it: its figures, their keys, its mistakes.
#include <set>

#include "base/json.hpp"
#include "tiny_run.hpp"

namespace rgm {
namespace {

const std::string small = " --seconds 0.01 --set stages.base.model.vocabulary=64";

TEST_F(TinyRun, ABenchSaysHowFastAStageTrains) {
  write("p.yaml", tiny(3, "    sample: {prompt: the}\n"));
  const Said said = regimen("bench p.yaml" + small);
  ASSERT_EQ(said.status, 0) << said.err;
  const auto out = parse_json<nlohmann::ordered_json>(said.out);
  std::vector<std::string> keys;
  for (const auto& [key, value] : out.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"backend", "stage", "parameters", "row", "tokens_per_second", "step_ms",
                                            "model_gflops", "matmul_gflops", "efficiency", "peak_memory_bytes",
                                            "peak_device_bytes", "start_ms", "steps", "allocations", "page_faults",
                                            "formula"}));
  EXPECT_EQ(out["stage"], "base");
  EXPECT_EQ(out["row"], 16);
  // 2 layers of 12 C^2 + 13 C, (64 + 16) C of embeddings, last norm 2 C
  EXPECT_EQ(out["parameters"], 2 * (12 * 32 * 32 + 13 * 32) + 80 * 32 + 2 * 32);
  EXPECT_EQ(out["backend"], "reference");
  EXPECT_GE(out["steps"], 5);
  // 4 rows of 16 tokens. A layer has 12 x 32 x 32 weights in products, the head 64 x 32; attention 2 x 32 x 17.
  const double operations = 64 * 6.0 * (2 * 12 * 32 * 32 + 64 * 32 + 2 * 32 * 17);
  const double step = out["step_ms"].get<double>() * 1e-3;
  EXPECT_NEAR(out["model_gflops"].get<double>() * step * 1e9 / operations, 1, 2e-3);
  EXPECT_NEAR(out["tokens_per_second"].get<double>() * step, 64, 0.2);
  EXPECT_NEAR(out["model_gflops"].get<double>() / out["matmul_gflops"].get<double>() / out["efficiency"].get<double>(),
              1, 2e-3);
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
}

TEST_F(TinyRun, AStepAsksForNoMemory) {
#ifdef REGIMEN_SANITIZED
  GTEST_SKIP() << "the sanitizer holds on to freed memory, so that every step takes more";
#endif
  write("p.yaml", tiny(3));
  const std::string wider = " --set stages.base.model.channels=128 --set stages.base.model.context=64";
  for (const char* backend : {"reference", "onednn"}) {
    const bool is_there = fs::exists(fs::path(REGIMEN_BUILD_DIRECTORY "/lib/regimen") / (std::string(backend) + ".so"));
    if (!is_there) continue;
    // A tensor that is mapped anew costs hundreds of faults a step; the system moves some pages about on its own.
    bool is_quiet = false;
    for (int i = 0; i < 3 && !is_quiet; ++i) {
      const Said said = regimen("bench p.yaml --seconds 1 --backend " + std::string(backend) + wider);
      ASSERT_EQ(said.status, 0) << said.err;
      const auto out = parse_json(said.out);
      EXPECT_EQ(out["allocations"], 0) << backend;
      is_quiet = out["page_faults"] < 16 * out["steps"].get<int64_t>() + 64;
    }
    EXPECT_TRUE(is_quiet) << backend;
  }
}

TEST_F(TinyRun, AProfileSharesAStepAmongTheKernels) {
  write("p.yaml", tiny(3));
  const Said said = regimen("bench p.yaml --profile" + small);
  ASSERT_EQ(said.status, 0) << said.err;
  double shares = 0, calls = 0;
  std::set<std::string> names;
  const auto out = parse_json(said.out);
  for (const auto& kernel : out["kernels"]) {
    names.insert(kernel["kernel"]);
    shares += kernel["share"].get<double>();
    if (kernel["kernel"] == "linear 64x32x96") calls = kernel["calls"];
  }
  EXPECT_EQ(calls, 2);  // one a layer
  for (const char* name : {"linear 64x32x96", "linear_grad 64x96x32", "attention_grad", "head_loss 64x32x64", "adamw"})
    EXPECT_TRUE(names.count(name)) << name;
  EXPECT_GT(shares, 0.97);
  EXPECT_LT(shares, 1.01);
}

TEST_F(TinyRun, AllStagesAreBenchedAndTheirGrowthIsDrawn) {
  std::string text = "regimen: 1\nname: growth\nbackend: reference\nstages:\n";
  for (const char* context : {"8", "16"})
    text +=
        std::string("  - name: context-") + context +
        "\n    strategy: pretrain\n    model: {family: gpt2, layers: 1, heads: 2, channels: 16, context: " + context +
        "}\n    tokenizer: bytes\n    data: {train: {text: text.txt}}\n    batch: 2\n    steps: 3\n";
  write("p.yaml", text);
  const Said said = regimen("bench p.yaml --all --plot growth.svg --seconds 0.01");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto out = parse_json(said.out);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0]["stage"], "context-8");
  EXPECT_EQ(out[1]["row"], 16);
  EXPECT_FALSE(out[0].contains("start_ms"));
  const std::string svg = read_file(folder_ / "growth.svg");
  for (const char* part : {"<svg ", "Time of a step", "Peak memory", "context-16: ", "</svg>"})
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  EXPECT_EQ(regimen("bench p.yaml --all --stage context-8").status, 2);
  EXPECT_EQ(regimen("bench p.yaml --plot growth.svg").status, 2);
}

TEST_F(TinyRun, DecodingIsComparedWithOneReadOfTheWeights) {
  write("p.yaml", tiny(3));
  const Said said = regimen("bench p.yaml --decode 2" + small);
  ASSERT_EQ(said.status, 0) << said.err;
  const auto out = parse_json(said.out);
  EXPECT_EQ(out["sequences"], 2);
  EXPECT_EQ(out["weight_bytes"], 4 * (2 * 12 * 32 * 32 + 64 * 32));
  EXPECT_GT(out["read_gigabytes_per_second"], 0);
  EXPECT_NEAR(out["tokens_per_second"].get<double>() * out["step_ms"].get<double>(), 2000, 4);
}

TEST_F(TinyRun, ABenchNamesWhatIsWrong) {
  write("p.yaml", tiny(3));
  const Said stage = regimen("bench p.yaml --stage bas");
  EXPECT_EQ(stage.status, 2);
  EXPECT_EQ(stage.err, "bench: pipeline \"tiny\" has no stage \"bas\"\n");
  EXPECT_EQ(regimen("bench p.yaml --seconds 0").status, 2);
  EXPECT_EQ(regimen("bench p.yaml --decode 65").status, 2);
  const Said narrow = regimen("bench p.yaml --decode 1 --set stages.base.model.context=7");
  EXPECT_EQ(narrow.status, 2);
  EXPECT_EQ(narrow.err, "bench: a context of 7 is too short to decode in, at least 8 are needed\n");
  EXPECT_EQ(regimen("bench p.yaml --kernels --backend reference").status, 2);
  EXPECT_EQ(regimen("bench missing.yaml").status, 2);
}

TEST_F(TinyRun, RowsBeyondTheTokenizerAreNeverWritten) {
  write("p.yaml", tiny(1));
  ASSERT_EQ(regimen("run p.yaml --set stages.base.model.vocabulary=4000").status, 0);
  EXPECT_EQ(json("runs/tiny/base/model/config.json")["vocab_size"], 4000);
  const Said said = regimen("generate --model runs/tiny/base --prompt the --max-tokens 12");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out.size(), std::string("the").size() + 12 + 1) << said.out;
  const Said few = regimen("run p.yaml --set stages.base.model.vocabulary=4");
  EXPECT_EQ(few.status, 2);
  EXPECT_NE(few.err.find("model: {vocabulary: 4} has no room for them"), std::string::npos) << few.err;
}

}  // namespace
}  // namespace rgm
