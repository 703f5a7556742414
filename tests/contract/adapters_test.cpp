// adapters_test.cpp - adapters train beside a base that stays, with as many parameters as they say, and are saved.
#include "contract/contract.hpp"

namespace rgm {
namespace {

TEST_F(Contract, AnAdapterTrainsBesideAFrozenBaseWhoseBytesStay) {
  ASSERT_EQ(run({}, base() + adapted("lora: {rank: 4, dropout: 0.1}")), 0) << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  EXPECT_TRUE(result("adapted").at("base_unchanged").get<bool>());
  // rank 4 on query and value of 2 layers: 2 x 2 x (4 x 16 + 16 x 4)
  EXPECT_EQ(result("adapted").at("trained_parameters"), 512);
  EXPECT_TRUE(fs::exists(folder_ / "run/adapted/adapter/adapter_model.safetensors"));
  const json config = parse_json(read_file(folder_ / "run/adapted/adapter/adapter_config.json"));
  EXPECT_EQ(config.at("peft_type"), "LORA");
  EXPECT_EQ(config.at("r"), 4);
}

TEST_F(Contract, APrefixWithProjectionIsSharedByAllLayers) {
  ASSERT_EQ(run({}, base() + adapted("prefix: {length: 3, projection: true, hidden: 8}")), 0) << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  EXPECT_TRUE(result("adapted").at("base_unchanged").get<bool>());
  // 3 x 16 to be projected, 16 to 8 and 8 to 2 layers x 2 x 16, both with bias
  EXPECT_EQ(result("adapted").at("trained_parameters"), 3 * 16 + (16 * 8 + 8) + (8 * 64 + 64));
  // The file has what the projection answers, for every layer's keys and values.
  EXPECT_EQ(numbers("adapted/adapter/adapter_model.safetensors", "prompt_embeddings").size(), 3U * 64U);
}

TEST_F(Contract, APrefixOfOneLayerIsDecodedAsItWasTrained) {
  ASSERT_EQ(run({}, base() + adapted("prefix: {length: 3, sites: [\"layers.1.attention\"]}")), 0) << said_;
  expect_falls("adapted", "validation_loss", 0.02);
}

TEST_F(Contract, ASoftPromptIsItsTextAtFirst) {
  // A rate that moves nothing: what is saved is what it began with.
  ASSERT_EQ(run({}, base(2) + adapted("soft_prompt: {length: 10, init: text, text: the cat}", "1e-30")), 0) << said_;
  const auto prompt = numbers("adapted/adapter/adapter_model.safetensors", "prompt_embeddings");
  const auto table = numbers("base/model/model.safetensors", "transformer.wte.weight");
  const std::string text = "the catthe";  // repeated until ten tokens are full
  ASSERT_EQ(prompt.size(), 10U * 16U);
  for (size_t i = 0; i < prompt.size(); ++i)
    EXPECT_FLOAT_EQ(prompt[i], table[static_cast<unsigned char>(text[i / 16]) * 16U + i % 16]) << i;
}

TEST_F(Contract, ASoftPromptStartsFromTextAndTrains) {
  ASSERT_EQ(run({}, base(300) + adapted("soft_prompt: {length: 4, init: text, text: the cat}", "0.03", "half.txt")), 0)
      << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  EXPECT_EQ(result("adapted").at("trained_parameters"), 4 * 16);
}

TEST_F(Contract, AnInputHookRescalesWhatALinearLayerReads) {
  ASSERT_EQ(run({}, base() + adapted("ia3: {}")), 0) << said_;
  expect_falls("adapted", "validation_loss", 0.05);
  // keys and values (16 each) and the input of mlp.down (64), 2 layers
  EXPECT_EQ(result("adapted").at("trained_parameters"), 2 * (16 + 16 + 64));
}

}  // namespace
}  // namespace rgm
