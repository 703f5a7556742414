// adapter_test.cpp - adapters as a user trains them: with a head, several at once, and what is told of them.
#include <gmock/gmock.h>

#include <cmath>

#include "cli/adapter_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST_F(AdapterTest, ItsHeadTravelsWithIt) {
  write("p.yaml", tiny(20, stage("tuned", "base", "    steps: 60\n    adapter: {lora: {rank: 4, alpha: 8}}\n")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result("tuned")["accuracy"], 1.0);
  EXPECT_EQ(result("tuned")["base_unchanged"], true);
  // 2 layers, query and value, A and B of 4 x 32 each; and a head of 2 x 32
  EXPECT_EQ(result("tuned")["trained_parameters"], 2 * 2 * 2 * 4 * 32 + 2 * 32);
  EXPECT_FALSE(fs::exists(folder_ / "runs/tiny/tuned/model")) << "the base is kept once";
  const std::string file = read_file(folder_ / "runs/tiny/tuned/adapter/adapter_model.safetensors");
  EXPECT_THAT(file, HasSubstr("base_model.model.score.weight"));
  EXPECT_EQ(evaluated("--model runs/tiny/tuned")["accuracy"], 1.0);
  EXPECT_EQ(evaluated("--model runs/tiny/base --adapter runs/tiny/tuned")["accuracy"], 1.0);
}

// IA3 scales what LoRA has added, or LoRA adds to what IA3 has scaled.
TEST_F(AdapterTest, SeveralActInTheOrderInWhichTheyWereTrained) {
  write("p.yaml",
        tiny(20,
             "  - name: both\n    strategy: finetune\n    model: {from: base}\n"
             "    data: {train: {text: text.txt}}\n    optimizer: {adamw: {learning_rate: 5e-2}}\n"
             "    adapter: [{lora: {rank: 4, sites: \"*.attention.value\"}}, {ia3: {sites: \"*.attention.value\"}}]\n"
             "    steps: 30\n    batch: 4\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto loss = [&](const std::string& model) {
    const Said evaluated = regimen("evaluate --json --data text.txt --model runs/tiny/" + model);
    EXPECT_EQ(evaluated.status, 0) << evaluated.err;
    return evaluated.status == 0 ? parse_json(evaluated.out)["loss"].get<double>() : 0;
  };
  const std::string lora = " --adapter runs/tiny/both/adapter/lora", ia3 = " --adapter runs/tiny/both/adapter/ia3";
  EXPECT_EQ(loss("both"), loss("base" + lora + ia3));
  EXPECT_GT(std::abs(loss("both") - loss("base" + ia3 + lora)), 1e-4);
}

TEST_F(AdapterTest, OneThatDoesNotChangeIsTold) {
  std::string still = stage("still", "base", "    steps: 3\n    adapter: {lora: {rank: 2}}\n    trainable: adapter\n");
  // What the rate and the clipped gradient make of each other is 0 in float32.
  const std::string adamw = "{adamw: {learning_rate: 1e-2}}";
  still.replace(still.find(adamw), adamw.size(), "{sgd: {learning_rate: 1e-30}}\n    clip: 1e-30");
  write("p.yaml", tiny(5, still));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("the adapter \"lora\" did not change at all"));
  EXPECT_EQ(result("still")["adapter_unchanged"], nlohmann::json({"lora"}));
}

TEST_F(AdapterTest, VirtualTokensThatFillTheContextAreToldSo) {
  write("p.yaml", tiny(5, stage("tuned", "base", "    steps: 5\n    adapter: {prefix: {length: 16}}\n")));
  const Said said = regimen("run p.yaml");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err, HasSubstr("tuned: 16 virtual tokens stand before the text, and the model's context is 16: no "
                                  "room is left for the text"));
}

TEST_F(AdapterTest, EachTrainsInAPipeline) {
  std::string stages;
  for (const char* adapter : {"prefix: {length: 4}", "soft_prompt: {length: 4}", "ia3: {}", "series: {size: 4}",
                              "parallel: {size: 4}", "lora: {rank: 2, rslora: true}"})
    stages += stage("a" + std::to_string(stages.size()), "base",
                    std::string("    steps: 12\n    adapter: {") + adapter + "}\n");
  write("p.yaml", tiny(20, stages));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  int seen = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "runs/tiny"))
    if (entry.path().filename().string().starts_with("a")) {
      const auto r = parse_json(read_file(entry.path() / "stage.json"))["result"];
      EXPECT_EQ(r["base_unchanged"], true) << entry.path();
      EXPECT_LT(double(r["validation_loss"]), 0.69) << entry.path();  // less than a coin's ln 2
      ++seen;
    }
  EXPECT_EQ(seen, 6);
}

}  // namespace
}  // namespace rgm
