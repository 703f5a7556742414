// muon_test.cpp - a stage that Muon trains: what its plan says of whom it updates.
#include <gmock/gmock.h>

#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

// 12 C^2 in each of 2 layers of 32 channels, of 26,784 parameters in all.
TEST_F(TinyRun, APlanSaysWhatGoesByMuon) {
  write("p.yaml", tiny(2, "    optimizer: {muon: {learning_rate: 0.002, adamw: {learning_rate: 0.001}}}\n"));
  const Said said = regimen("plan p.yaml");
  EXPECT_EQ(said.status, 0) << said.err;
  for (const char* part : {"  rate          0.002: 24,576 parameters, matrices by muon\n",
                           "  rate          0.001: 2,208 parameters, all others by adamw\n", "optimizer.muon.steps "})
    EXPECT_THAT(said.out, HasSubstr(part));
}

}  // namespace
}  // namespace rgm
