// precision_test.cpp - a stage in bfloat16: how it learns, what it saves, and that it resumes to the same bits.
#include <gmock/gmock.h>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class PrecisionTest : public TinyRun {
 protected:
  double loss_of(const std::string& out) { return json(out + "/base/stage.json")["result"]["validation_loss"]; }
};

TEST_F(PrecisionTest, ItLearnsAsFloat32Does) {
  write("p.yaml", tiny(150));
  ASSERT_EQ(regimen("run p.yaml --out exact").status, 0);
  const Said said = regimen("run p.yaml --out half --set stages.base.precision=bfloat16");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_NE(loss_of("half"), loss_of("exact"));
  EXPECT_NEAR(loss_of("half"), loss_of("exact"), 0.02 * loss_of("exact"));
  EXPECT_LT(loss_of("half"), 1.5);  // 3.4 at the beginning
}

TEST_F(PrecisionTest, WeightsAreSavedInFloat32) {
  write("p.yaml", tiny(5, "    precision: bfloat16\n    optimizer: {sgd: {learning_rate: 0.1}}\n"));
  const Said said = regimen("run p.yaml --out out");
  ASSERT_EQ(said.status, 0) << said.err;
  const SafeTensors file(folder_ / "out/base/model/model.safetensors");
  for (const SavedTensor& saved : file.tensors()) EXPECT_EQ(saved.dtype, RGM_F32) << saved.name;
}

TEST_F(PrecisionTest, KilledItEndsWithTheSameBits) {
  write("p.yaml", tiny(150, "    precision: bfloat16\n    checkpoint: {every: 50}\n"));
  ASSERT_NO_FATAL_FAILURE(kill_and_resume("base/checkpoint/step-50"));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  EXPECT_EQ(hash_of("killed/base/model/model.safetensors"), hash_of("whole/base/model/model.safetensors"));
}

TEST_F(PrecisionTest, CommandsComputeAsTheStageDid) {
  write("p.yaml", tiny(60, "    precision: bfloat16\n"));
  ASSERT_EQ(regimen("run p.yaml --out out").status, 0);
  const std::string ask = "evaluate --model out/base --data text.txt --json --backend reference";
  const Said exact = regimen(ask), half = regimen(ask + " --precision bfloat16");
  ASSERT_EQ(half.status, 0) << half.err;
  const double a = parse_json(exact.out)["loss"], b = parse_json(half.out)["loss"];
  EXPECT_NE(a, b);
  EXPECT_NEAR(a, b, 0.01 * a);
  const std::string write_on = "generate --model out/base --prompt the --max-tokens 20 --backend reference --seed 1";
  const Said text = regimen(write_on + " --precision bfloat16 --weights bfloat16");
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, StartsWith("the"));
}

TEST_F(PrecisionTest, CommandsSayWhatIsWrongWithIt) {
  write("p.yaml", tiny(1));
  ASSERT_EQ(regimen("run p.yaml --out out").status, 0);
  const Said type = regimen("generate --model out/base --prompt a --precision half");
  EXPECT_EQ(type.status, 2);
  EXPECT_EQ(type.err, "--precision is half, expected one of float32, bfloat16\n");
  const std::string lacking =
      " needs a backend that computes in it, which \"scarce\" does not here; {}, or name another backend (`regimen "
      "plugins` lists them)\n";
  const std::string there = in_folder() + "REGIMEN_PLUGIN_PATH=" REGIMEN_BUILD_DIRECTORY "/lib/regimen-fixtures";
  const Said command =
      rgm::regimen("generate --model out/base --prompt a --precision bfloat16 --backend scarce", there);
  EXPECT_EQ(command.status, 2);
  EXPECT_THAT(command.err, HasSubstr("--precision bfloat16" + fmt::format(fmt::runtime(lacking), "leave it out")));
  const Said stage = rgm::regimen("run p.yaml --backend scarce --set stages.base.precision=bfloat16", there);
  EXPECT_EQ(stage.status, 2);
  EXPECT_THAT(stage.err, HasSubstr("stage \"base\": precision: bfloat16" +
                                   fmt::format(fmt::runtime(lacking), "write precision: float32")));
}

TEST_F(PrecisionTest, WritingIsTimedInIt) {
  write("p.yaml", tiny(3, "    precision: bfloat16\n"));
  const Said said = regimen("bench p.yaml --decode 2 --seconds 0.01 --set stages.base.model.vocabulary=64");
  ASSERT_EQ(said.status, 0) << said.err;
  const auto out = parse_json(said.out);
  EXPECT_EQ(out["weight_bytes"], 2 * (2 * 12 * 32 * 32 + 64 * 32));
  EXPECT_EQ(out["row"], 16);
  // Keys and values of two rows and two layers, 32 channels of 2 bytes, 12 tokens long in the middle of the last seven
  // steps.
  EXPECT_EQ(out["cache_bytes"], 2 * 2 * 2 * 32 * 2 * 12);
}

TEST_F(PrecisionTest, APlanKnowsIt) {
  write("p.yaml", tiny(5, "    precision: bfloat16\n"));
  const Said said = regimen("plan p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.out + said.err, HasSubstr("bfloat16"));
}

}  // namespace
}  // namespace rgm
