// ensemble_test.cpp - several adapters that learn in one stage and vote.
#include <gmock/gmock.h>

#include <set>

#include "cli/adapter_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

// Three prompts learn in one stage and vote. Each is an ordinary adapter afterwards, and the base is as it was.
TEST_F(AdapterTest, AnEnsembleVotes) {
  const std::string prompts = "    steps: 60\n    adapter: {soft_prompt: {length: 2, init: random}}\n    ensemble: 3\n";
  write("p.yaml", tiny(20, stage("three", "base", prompts)));
  const Said said = regimen("run p.yaml");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(result("three")["accuracy"], 1.0);
  EXPECT_TRUE(result("three").contains("member_accuracy"));
  EXPECT_EQ(result("three")["base_unchanged"], true);
  EXPECT_EQ(result("three")["trained_parameters"], 3 * 2 * 32 + 2 * 32);  // a head of 2 x 32 for all
  std::set<std::string> different;
  for (const char* member : {"1", "2", "3"}) {
    const std::string folder = std::string("runs/tiny/three/adapter/") + member;
    different.insert(read_file(folder_ / folder / "adapter_model.safetensors"));
    EXPECT_GT(evaluated("--model runs/tiny/base --adapter " + folder)["accuracy"], 0.5);
  }
  EXPECT_EQ(different.size(), 3U);
  const Said whole =
      regimen("evaluate --data rows.tsv --column text=0 --model runs/tiny/base --adapter runs/tiny/three");
  EXPECT_EQ(whole.status, 2);
  EXPECT_THAT(whole.err, HasSubstr("is an ensemble of adapters, each of which answers on its own; name one"));
  EXPECT_THAT(regimen("run p.yaml").err, HasSubstr("stage three: unchanged, not run again"));
}

TEST_F(AdapterTest, AnEnsembleThatCannotBeIsTold) {
  write("p.yaml", tiny(20, stage("bare", "base", "    steps: 1\n    ensemble: 3\n")));
  EXPECT_THAT(regimen("check p.yaml").err,
              HasSubstr("\"ensemble\" needs an adapter, of which each member has its own"));
  write("p.yaml", tiny(20, stage("many", "base", "    steps: 1\n    adapter: lora\n    ensemble: 65\n")));
  EXPECT_THAT(regimen("check p.yaml").err, HasSubstr("64"));
}

}  // namespace
}  // namespace rgm
