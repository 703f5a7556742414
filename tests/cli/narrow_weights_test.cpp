// narrow_weights_test.cpp - `weights: bfloat16` in a pipeline and on the command line.
#include <gmock/gmock.h>

#include <set>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class NarrowWeightsTest : public TinyRun {
 protected:
  std::string last_layer(const std::string& more) {
    return tiny(60) +
           "  - name: last\n    strategy: finetune\n    model: {from: base}\n"
           "    data: {train: {text: text.txt}}\n    trainable: {last: 1}\n    batch: 4\n    steps: 20\n" +
           more;
  }
};

TEST_F(NarrowWeightsTest, WhatIsFrozenIsRoundedOnceAndWhatIsTrainedIsNot) {
  write("p.yaml", last_layer("    weights: bfloat16\n"));
  const Said said = regimen("run p.yaml --out out");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("kept in bfloat16"));
  const SafeTensors before(folder_ / "out/base/model/model.safetensors"),
      after(folder_ / "out/last/model/model.safetensors");
  int narrow = 0, trained = 0;
  for (const SavedTensor& a : after.tensors()) {
    const SavedTensor& b = *before.find(a.name);
    if (a.dtype == RGM_F32) {
      trained += std::memcmp(a.data.data(), b.data.data(), a.data.size()) != 0;
      continue;
    }
    ++narrow;
    ASSERT_EQ(a.dtype, RGM_BF16) << a.name;
    for (size_t i = 0; i < a.data.size() / 2; ++i) {
      uint32_t bits = 0;
      uint16_t half = 0;
      std::memcpy(&bits, b.data.data() + 4 * i, 4);
      std::memcpy(&half, a.data.data() + 2 * i, 2);
      ASSERT_EQ(half, (bits + 0x7FFF + (bits >> 16 & 1)) >> 16) << a.name << " " << i;
    }
  }
  EXPECT_GT(narrow, 0);
  EXPECT_GT(trained, 4);
}

TEST_F(NarrowWeightsTest, KilledItEndsWithTheSameBits) {
  write("p.yaml", tiny(5));
  ASSERT_EQ(regimen("run p.yaml --out killed").status, 0);
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  write("p.yaml",
        "regimen: 1\nname: tiny\nseed: 3\nbackend: reference\nstages:\n"
        "  - {name: last, strategy: finetune, model: {from: killed/base}, data: {train: {text: text.txt}},\n"
        "     trainable: {last: 1}, weights: bfloat16, optimizer: {adamw: {moments: bfloat16}}, batch: 4, steps: 150,\n"
        "     checkpoint: {every: 50}}\n");
  ASSERT_NO_FATAL_FAILURE(kill_and_resume("last/checkpoint/step-50"));
  ASSERT_EQ(regimen("run p.yaml --out whole").status, 0);
  EXPECT_EQ(hash_of("killed/last/model/model.safetensors"), hash_of("whole/last/model/model.safetensors"));
}

TEST_F(NarrowWeightsTest, GenerateAndEvaluateTakeItToo) {
  write("p.yaml", tiny(60));
  ASSERT_EQ(regimen("run p.yaml --out out").status, 0);
  const Said wide = regimen("evaluate --model out/base --data text.txt --json"),
             narrow = regimen("evaluate --model out/base --data text.txt --json --weights bfloat16");
  ASSERT_EQ(narrow.status, 0) << narrow.err;
  const double a = parse_json(wide.out)["loss"], b = parse_json(narrow.out)["loss"];
  EXPECT_NE(a, b);
  EXPECT_NEAR(a, b, 5e-3 * a);
  EXPECT_EQ(regimen("generate --model out/base --prompt a --max-tokens 5 --weights bfloat16").status, 0);
  const Said wrong = regimen("generate --model out/base --prompt a --weights int8");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--weights is int8, expected one of float32, bfloat16, nf4"));
}

// QLoRA: the matrices of the layers take four bits, the adapter is trained on these, and the base stays what it was.
TEST_F(NarrowWeightsTest, AnAdapterIsTrainedOnABaseInFourBits) {
  const std::string base = tiny(60);
  write("p.yaml",
        std::string(base).replace(base.find("channels: 32"), 12, "channels: 64") +
            "  - name: tuned\n    strategy: finetune\n    adapter: {lora: {rank: 2}}\n    model: {from: base}\n"
            "    data: {train: {text: text.txt}, validation: {split: 0.1}}\n    weights: nf4\n    batch: 4\n"
            "    steps: 20\n");
  const Said said = regimen("run p.yaml --out out");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("98,304 kept in four bits"));  // 2 layers of 12 x 64 x 64
  EXPECT_FALSE(fs::exists(folder_ / "out/tuned/model"));
  const auto loss = [&](const std::string& weights) -> double {
    const Said evaluated =
        regimen("evaluate --model out/tuned --data text.txt --json --backend reference --weights " + weights);
    EXPECT_EQ(evaluated.status, 0) << evaluated.err;
    return parse_json(evaluated.out)["loss"];
  };
  const double narrow = loss("nf4"), wide = loss("float32");
  EXPECT_NE(narrow, wide);
  EXPECT_NEAR(narrow, wide, 0.05 * wide);
}

TEST_F(NarrowWeightsTest, AWholeModelInFourBitsIsSavedAsItIsWithAWarning) {
  write("p.yaml", last_layer("    weights: nf4\n"));
  const Said said = regimen("run p.yaml --out out");
  ASSERT_EQ(said.status, 0) << said.err;
  EXPECT_THAT(said.err, HasSubstr("stage last: its model is saved with the weights as they are in four bits"));
  const SafeTensors after(folder_ / "out/last/model/model.safetensors");
  const SavedTensor& down = *after.find("transformer.h.0.mlp.c_proj.weight");  // (128, 32), by columns in blocks of 64
  ASSERT_EQ(down.dtype, RGM_BF16);
  std::set<uint16_t> values;
  for (size_t i = 0; i < 64; ++i) {
    uint16_t half = 0;
    std::memcpy(&half, down.data.data() + 2 * 32 * i, 2);
    values.insert(half);
  }
  EXPECT_LE(values.size(), 16u);
}

// What is saved in bfloat16 is written with as it is: no number changes, and neither does the text.
TEST_F(NarrowWeightsTest, AFileInBfloat16IsWrittenWithAsItIs) {
  write("p.yaml", last_layer("    weights: bfloat16\n"));
  ASSERT_EQ(regimen("run p.yaml --out out").status, 0);
  const std::string ask = "generate --model out/last --prompt the --max-tokens 40 --seed 5";
  const Said plain = regimen(ask + " --backend reference");
  ASSERT_EQ(plain.status, 0) << plain.err;
  for (const char* weights : {"float32", "bfloat16"}) {
    const Said said = regimen(ask + " --weights " + weights);
    ASSERT_EQ(said.status, 0) << said.err;
    if (std::string(weights) == "float32") {
      EXPECT_EQ(said.out, plain.out);
    }
  }
}

}  // namespace
}  // namespace rgm
