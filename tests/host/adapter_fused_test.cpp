// adapter_fused_test.cpp - what an adapter has at query, key and value, as one tensor of the module that they are in
// Hugging Face's layout, in adapter_config.json and back.
#include <cmath>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "host/plugged.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

constexpr const char* c_attn = "base_model.model.transformer.h.0.attn.c_attn.";
constexpr const char* query_key_value = "base_model.model.gpt_neox.layers.0.attention.query_key_value.";

class FusedAdapters : public TensorTest {
 protected:
  // Of the small model: 16 inputs, 4 heads of 4, so 16 rows a part.
  static nlohmann::json save(const Adapted& adapted, const fs::path& folder) {
    adapted.disturb();
    adapted.adapters->save(folder, "base");
    return parse_json(read_file(folder / "adapter_config.json"));
  }
  static std::vector<float> value(const fs::path& folder, const std::string& key) {
    const SafeTensors file(folder / "adapter_model.safetensors");
    const SavedTensor* const found = file.find(key);
    require(found != nullptr, "no {}", key);
    const auto* first = reinterpret_cast<const float*>(found->data.data());
    return {first, first + found->data.size() / sizeof(float)};
  }
  static std::vector<float> own(const Adapted& adapted, const std::string& name) {
    return to_host(adapted.adapters->parameters().find(name)->value);
  }
};

TEST_F(FusedAdapters, APartWithoutAnAdapterHasRowsOfZeros) {
  const ScratchFolder folder;
  const Adapted adapted("lora", "{rank: 2, alpha: 3}");  // query and value
  const nlohmann::json config = save(adapted, folder.path());
  EXPECT_EQ(config["r"], 2);
  EXPECT_EQ(config["rank_pattern"], nlohmann::json({{"c_attn", 4}}));
  EXPECT_EQ(config["alpha_pattern"], nlohmann::json({{"c_attn", 6.0}}));  // 6 / 4 = 3 / 2
  EXPECT_EQ(config["target_modules"], nlohmann::json({"c_attn"}));

  const auto a = value(folder.path(), std::string(c_attn) + "lora_A.weight");  // (4, 16)
  const auto query_a = own(adapted, "lora.layers.0.attention.query.a");
  ASSERT_EQ(a.size(), 4U * 16);
  EXPECT_EQ(std::vector(a.begin(), a.begin() + 32), query_a);
  EXPECT_EQ(std::vector(a.begin() + 32, a.end()), own(adapted, "lora.layers.0.attention.value.a"));

  const auto b = value(folder.path(), std::string(c_attn) + "lora_B.weight");  // (48, 4)
  const auto query_b = own(adapted, "lora.layers.0.attention.query.b");
  const auto value_b = own(adapted, "lora.layers.0.attention.value.b");
  ASSERT_EQ(b.size(), 48U * 4);
  for (size_t row = 0; row < 48; ++row) {
    const size_t at = row % 16 * 2;
    const std::vector<float> expected = row < 16   ? std::vector<float>{query_b[at], query_b[at + 1], 0, 0}
                                        : row < 32 ? std::vector<float>{0, 0, 0, 0}
                                                   : std::vector<float>{0, 0, value_b[at], value_b[at + 1]};
    EXPECT_EQ(std::vector(b.begin() + std::ptrdiff_t(4 * row), b.begin() + std::ptrdiff_t(4 * row + 4)), expected)
        << row;
  }
}

TEST_F(FusedAdapters, NeoxHasTheRowsOfOneHeadAfterTheOther) {
  const ScratchFolder folder;
  const Adapted adapted("lora", "{rank: 1, sites: \"*.attention.key\"}", {}, "gpt_neox");
  const nlohmann::json config = save(adapted, folder.path());
  EXPECT_FALSE(config.contains("rank_pattern")) << "one part is what the options say";
  const auto b = value(folder.path(), std::string(query_key_value) + "lora_B.weight");  // (48, 1)
  const auto key_b = own(adapted, "lora.layers.0.attention.key.b");
  for (size_t row = 0; row < 48; ++row) {  // of a head: 4 rows of its query, 4 of its key, 4 of its value
    const size_t head = row / 12, part = row % 12 / 4;
    EXPECT_EQ(b[row], part == 1 ? key_b[4 * head + row % 4] : 0) << row;
  }
}

TEST_F(FusedAdapters, RsLoraScalesByTheRootOfTheParts) {
  const ScratchFolder folder;
  const Adapted adapted("lora", "{rank: 2, alpha: 3, rslora: true}");
  const nlohmann::json config = save(adapted, folder.path());
  EXPECT_EQ(config["rank_pattern"]["c_attn"], 4);
  const double alpha = config["alpha_pattern"]["c_attn"];
  EXPECT_NEAR(alpha / std::sqrt(4), 3 / std::sqrt(2), 1e-12);
}

// Where one module has more parts adapted than another of its name, more of the name is said.
TEST_F(FusedAdapters, ModulesAreNamedSoThatNoOtherIsMeant) {
  const ScratchFolder folder;
  const nlohmann::json config =
      save(Adapted("lora",
                   "{rank: 2, alpha: 3, sites: [\"layers.0.attention.*\", \"layers.1.attention.key\", "
                   "\"*.mlp.down\"]}"),
           folder.path());
  EXPECT_EQ(config["rank_pattern"], nlohmann::json({{"0.attn.c_attn", 6}}));
  EXPECT_EQ(config["target_modules"], nlohmann::json({"0.attn.c_proj", "c_attn", "mlp.c_proj"}))
      << "c_proj would be that of all attention as well";
}

TEST_F(FusedAdapters, VectorsOfIa3AreOneWhereNothingActs) {
  const ScratchFolder folder;
  const Adapted adapted("ia3");
  const nlohmann::json config = save(adapted, folder.path());
  EXPECT_EQ(config["target_modules"], nlohmann::json({"c_attn", "mlp.c_proj"}));
  EXPECT_EQ(config["feedforward_modules"], nlohmann::json({"mlp.c_proj"}));
  const auto l = value(folder.path(), std::string(c_attn) + "ia3_l");
  std::vector<float> expected(16, 1);
  for (const char* part : {"key", "value"})
    for (const float x : own(adapted, "ia3.layers.0.attention." + std::string(part) + ".l")) expected.push_back(x);
  EXPECT_EQ(l, expected);
}

// PEFT takes a module for one of the feed-forward part by the end of its name, and attention has a c_proj, too.
TEST_F(FusedAdapters, FeedForwardModulesOfIa3AreNamedSoThatNoOtherIsMeant) {
  const ScratchFolder folder;
  const nlohmann::json config =
      save(Adapted("ia3", "{sites: [\"*.attention.output\", \"*.mlp.down\"]}"), folder.path());
  EXPECT_EQ(config["feedforward_modules"], nlohmann::json({"mlp.c_proj"}));
  EXPECT_EQ(config["target_modules"], nlohmann::json({"c_proj", "mlp.c_proj"})) << "of which they have to be";
}

// DoRA's length of a row without an adapter is that of the base's row.
TEST_F(FusedAdapters, LengthsOfDoraAreTheBasesWhereNothingActs) {
  const ScratchFolder folder;
  const Adapted adapted("lora", "{rank: 2, dora: true, sites: \"*.attention.key\"}");
  save(adapted, folder.path());
  const auto lengths = value(folder.path(), std::string(c_attn) + "lora_magnitude_vector");
  const auto& site = *std::ranges::find(adapted.model->sites(), "layers.0.attention.value", &SiteInfo::name);
  const auto row = to_host(ops::contiguous(ops::slice(site.weight, 0, 5, 6)));
  double square = 0;
  for (const float w : row) square += double(w) * w;
  EXPECT_NEAR(lengths[32 + 5], std::sqrt(square), 1e-5);
  const auto own_lengths = own(adapted, "lora.layers.0.attention.key.magnitude");
  EXPECT_EQ(std::vector(lengths.begin() + 16, lengths.begin() + 32), own_lengths);
}

// Before, every part had a tensor of its own.
TEST_F(FusedAdapters, FoldersWithATensorAPartAreStillRead) {
  const ScratchFolder folder;
  write_file(folder.path() / "adapter_config.json",
             R"({"regimen_id": "lora", "regimen_sites": ["layers.0.attention.key"], "peft_type": "LORA", "r": 2,
                 "lora_alpha": 4, "target_modules": ["c_attn"]})");
  const std::vector<float> a = numbers(2 * 16, 1), b = numbers(16 * 2, 2);
  write_safetensors(folder.path() / "adapter_model.safetensors",
                    std::vector<SavedTensor>{
                        {std::string(c_attn) + "key.lora_A.weight", RGM_F32, {2, 16}, std::as_bytes(std::span(a))},
                        {std::string(c_attn) + "key.lora_B.weight", RGM_F32, {16, 2}, std::as_bytes(std::span(b))}});
  const auto saved = open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *small_model());
  const Adapted adapted("lora", saved.options.dump(), saved.tensors);
  EXPECT_EQ(own(adapted, "lora.layers.0.attention.key.b"), b);
  EXPECT_EQ(adapted.adapters->parameters().all().size(), 2U);
}

TEST_F(FusedAdapters, AStackThatThePartsCannotShareIsToldSo) {
  const ScratchFolder folder;
  write_file(folder.path() / "adapter_config.json",
             R"({"regimen_id": "lora", "regimen_sites": ["layers.0.attention.key", "layers.0.attention.value"],
                 "peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["c_attn"]})");
  const std::vector<float> a = numbers(3 * 16, 1);
  write_safetensors(
      folder.path() / "adapter_model.safetensors",
      std::vector<SavedTensor>{{std::string(c_attn) + "lora_A.weight", RGM_F32, {3, 16}, std::as_bytes(std::span(a))}});
  EXPECT_THAT(
      failure_of([&] { open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *small_model()); }),
      HasSubstr(
          "lora_A.weight\" has the shape (3, 16): 2 of the 3 parts of transformer.h.0.attn.c_attn, with 48 rows in "
          "all, cannot share it"));
}

TEST_F(FusedAdapters, OneOfABaseOfAnotherShapeIsToldSo) {
  const ScratchFolder folder;
  write_file(folder.path() / "adapter_config.json",
             R"({"regimen_id": "lora", "regimen_sites": ["layers.0.attention.key", "layers.0.attention.value"],
                 "peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["c_attn"]})");
  const std::vector<float> b = numbers(96 * 4, 1);  // of 32 channels, and the model has 16
  write_safetensors(
      folder.path() / "adapter_model.safetensors",
      std::vector<SavedTensor>{{std::string(c_attn) + "lora_B.weight", RGM_F32, {96, 4}, std::as_bytes(std::span(b))}});
  EXPECT_THAT(failure_of([&] { open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *small_model()); }),
              HasSubstr("lora_B.weight\" has the shape (96, 4), and transformer.h.0.attn.c_attn has 48 rows in this "
                        "model: the adapter was made for a base of another shape"));
}

}  // namespace
}  // namespace rgm::test
