// adapter_from_test.cpp - adapters that go on in a later stage, or start as another one.
#include <gmock/gmock.h>

#include <vector>

#include "artefact/safetensors.hpp"
#include "cli/adapter_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST_F(AdapterTest, ALaterStageGoesOnWithIt) {
  write("p.yaml", tiny(20, stage("tuned", "base", "    steps: 60\n    adapter: {lora: {rank: 4, alpha: 8}}\n") +
                               "  - name: more\n    strategy: finetune\n    batch: 8\n    steps: 1\n"
                               "    optimizer: {adamw: {learning_rate: 1e-9}}\n    model: {from: tuned}\n"
                               "    data: {train: {tsv: rows.tsv, columns: {text: 0, label: 1}}, validation: {split: "
                               "0.25}}\n"));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_NEAR(result("more")["validation_loss"], result("tuned")["validation_loss"], 1e-4);
}

TEST_F(AdapterTest, AnotherAlphaThanItStartsFromIsTold) {
  const auto with = [](const std::string& name, const std::string& adapter) {
    return stage(name, "base", "    steps: 1\n    adapter: " + adapter + "\n");
  };
  const auto ran = [&](const std::string& second) {
    write("p.yaml", tiny(5, with("first", "{lora: {rank: 2, alpha: 32}}") + with("second", second)));
    return regimen("run p.yaml");
  };
  const Said same = ran("{lora: {rank: 2, alpha: 32}, from: first}");
  ASSERT_EQ(same.status, 0) << same.err;
  EXPECT_THAT(same.err, testing::Not(HasSubstr("a different function")));
  const Said said = ran("{lora: {rank: 2, rslora: true}, from: first}");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err,
              testing::ContainsRegex("adapter \"lora\" starts from .*first with alpha 16(.0)? instead of 32(.0)?, "
                                     "rslora true instead of false, so it may begin as a different function"));
}

// What another prompt has learned is where this one begins: at a rate of almost nothing it is as good.
TEST_F(AdapterTest, StartsAsAnotherOne) {
  const auto with = [&](const std::string& name, const std::string& adapter, const std::string& rate) {
    std::string out = stage(name, "base", "    steps: 40\n    adapter: " + adapter + "\n    trainable: adapter\n");
    return out.replace(out.find("1e-2"), 4, rate);
  };
  write("p.yaml", tiny(20, with("first", "{soft_prompt: {length: 2, init: random}}", "1e-1") +
                               with("second", "{soft_prompt: {length: 2}, from: first}", "1e-12")));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  const SafeTensors first(folder_ / "runs/tiny/first/adapter/adapter_model.safetensors");
  const SafeTensors second(folder_ / "runs/tiny/second/adapter/adapter_model.safetensors");
  const auto values = [](const SafeTensors& file) {
    const auto data = file.find("prompt_embeddings")->data;
    return std::vector<float>(reinterpret_cast<const float*>(data.data()),
                              reinterpret_cast<const float*>(data.data()) + 64);
  };
  EXPECT_THAT(values(second), testing::Pointwise(testing::FloatNear(1e-6F), values(first)));
  EXPECT_EQ(json("runs/tiny/second/stage.json")["configuration"]["adapter"][0]["from"], "first");
  // A longer one has no values for all of its vectors.
  write("p.yaml", tiny(20, with("first", "{soft_prompt: {length: 2, init: random}}", "1e-1") +
                               with("second", "{soft_prompt: {length: 3}, from: first}", "1e-12")));
  const Said longer = regimen("run p.yaml");
  EXPECT_EQ(longer.status, 2);
  EXPECT_THAT(longer.err, HasSubstr("saved with the shape (2, 32), but (3, 32) is wanted"));
  write("p.yaml", tiny(20, with("first", "{soft_prompt: {length: 2}}", "1e-1") +
                               with("second", "{prefix: {length: 2}, from: first}", "1e-3")));
  EXPECT_THAT(regimen("run p.yaml").err, HasSubstr("expected one adapter of the kind \"prefix\" to start from"));
}

}  // namespace
}  // namespace rgm
