// saved_adapters_test.cpp - what an adapter leaves in its folder: it comes back as it was, and PEFT can read it.
#include "base/json.hpp"
#include "host/adapted.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

TEST_F(AdaptersTest, SavedAdaptersComeBackAsTheyWere) {
  for (const char* family : {"gpt2", "llama", "gpt_neox"})
    for (const char* id : all_adapters) {
      const ScratchFolder folder;
      const Adapted first(id, few_tokens(id), {}, family);
      first.disturb();
      EXPECT_EQ(first.adapters->save(folder.path(), "base").size(), 64u);
      const SavedAdapter saved = open_adapter(folder.path(), fixture(id).table<rgm_adapter>(), *first.model);
      EXPECT_EQ(saved.id, id);
      const Adapted second(id, saved.options.dump(), saved.tensors, family);
      EXPECT_EQ(to_host(second.logprobs()), to_host(first.logprobs())) << id << " in " << family;
    }
}

TEST_F(AdaptersTest, AProjectedPrefixIsSavedFinished) {
  const ScratchFolder folder;
  const Adapted first("prefix", "{length: 2, projection: true}");
  first.disturb();
  first.adapters->save(folder.path(), "base");
  const SavedAdapter saved = open_adapter(folder.path(), fixture("prefix").table<rgm_adapter>(), *first.model);
  EXPECT_EQ(saved.options["length"], 2);
  EXPECT_FALSE(saved.options.contains("projection"));
  const Adapted second("prefix", saved.options.dump(), saved.tensors);
  EXPECT_EQ(to_host(second.logprobs()), to_host(first.logprobs()));
}

TEST_F(AdaptersTest, WritesWhatPeftReads) {
  const ScratchFolder folder;
  Adapted("lora", "{rank: 4, alpha: 8, sites: \"q_proj\"}", {}, "llama").adapters->save(folder.path(), "some/base");
  const auto config = parse_json(read_file(folder.path() / "adapter_config.json"));
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["r"], 4);
  EXPECT_EQ(config["lora_alpha"], 8);
  EXPECT_EQ(config["bias"], "none");
  EXPECT_EQ(config["inference_mode"], true);
  EXPECT_EQ(config["target_modules"], nlohmann::json::array({"q_proj"}));
  EXPECT_EQ(config["base_model_name_or_path"], "some/base");
  const std::string file = read_file(folder.path() / "adapter_model.safetensors");
  EXPECT_THAT(file, HasSubstr("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"));
  EXPECT_THAT(file, HasSubstr(R"("format":"pt")"));
}

TEST_F(AdaptersTest, NumbersOfTheModelFillTheFormat) {
  const ScratchFolder folder;
  Adapted("prefix", "{length: 2}", {}, "llama").adapters->save(folder.path(), "base");
  const auto config = parse_json(read_file(folder.path() / "adapter_config.json"));
  EXPECT_EQ(config["num_layers"], 2);
  EXPECT_EQ(config["num_attention_heads"], 2);  // that keys have
  EXPECT_EQ(config["token_dim"], 8);
  EXPECT_FALSE(config.contains("target_modules"));
}

TEST_F(AdaptersTest, AFileOfOtherSitesIsAnError) {
  const ScratchFolder folder;
  const Adapted first("lora", "{rank: 2}");
  first.adapters->save(folder.path(), "base");
  const auto saved = open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *first.model);
  EXPECT_THAT(failure_of([&] { Adapted("lora", "{rank: 2, sites: \"*.attention.query\"}", saved.tensors); }),
              HasSubstr("attention.value"));
  EXPECT_THAT(failure_of([&] { Adapted("lora", "{rank: 2, sites: \"*.attention.*\"}", saved.tensors); }),
              HasSubstr("lacks"));
}

}  // namespace
}  // namespace rgm::test
