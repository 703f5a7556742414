// precision_test.cpp - a stage in bfloat16: how it learns, what it saves, and that it resumes to the same bits.
#include <gmock/gmock.h>

#include "artefact/safetensors.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

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

TEST_F(PrecisionTest, APlanKnowsIt) {
  write("p.yaml", tiny(5, "    precision: bfloat16\n"));
  const Said said = regimen("plan p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.out + said.err, HasSubstr("bfloat16"));
}

}  // namespace
}  // namespace rgm
