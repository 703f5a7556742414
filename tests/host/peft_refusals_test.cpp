// peft_refusals_test.cpp - what PEFT would do otherwise, and files that lack something, are refused by their keys.
#include <functional>

#include "host/adapted.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

// What PEFT computes otherwise and is not read here is refused by its name, and the rest of its members is not.
TEST_F(AdaptersTest, WhatPeftWouldDoOtherwiseIsRefused) {
  const auto opened = [](const std::string& id, const std::string& members) {
    return failure_of([&] {
      open_peft(id, R"({"r": 2, "lora_alpha": 4, "target_modules": ["c_fc", "c_attn"],
        "bias": "none", "use_dora": false, "modules_to_save": null, "rank_pattern": {}, )" +
                        members + "}");
    });
  };
  for (const char* fine : {R"("init_lora_weights": true)", R"("init_lora_weights": "gaussian")",
                           R"("modules_to_save": ["classifier", "score"])", R"("layers_to_transform": null)",
                           R"("alpha_pattern": {}, "loftq_config": {}, "lora_bias": false)"})
    EXPECT_EQ(opened("lora", fine), "") << fine;
  EXPECT_THAT(
      opened("lora", R"("init_lora_weights": "pissa_niter_16")"),
      testing::AllOf(HasSubstr("adapter_config.json: \"init_lora_weights\" is \"pissa_niter_16\": PEFT changes the "
                               "base's weights when it opens such an adapter, which is not supported here; merge "),
                     HasSubstr("merge_and_unload")));
  EXPECT_THAT(opened("lora", R"("init_lora_weights": "olora")"), HasSubstr("\"init_lora_weights\" is \"olora\""));
  EXPECT_THAT(opened("lora", R"("bias": "lora_only")"), HasSubstr("biases of the base were trained too"));
  EXPECT_THAT(opened("lora", R"("layers_to_transform": [0])"), HasSubstr("\"layers_to_transform\" is [0]: only these"));
  EXPECT_THAT(opened("lora", R"("layer_replication": [[0, 2], [1, 2]])"), HasSubstr("\"layer_replication\""));
  EXPECT_THAT(opened("lora", R"("alora_invocation_tokens": [5])"), HasSubstr("it acts only after these tokens"));
  EXPECT_THAT(opened("lora", R"("modules_to_save": ["lm_head"])"),
              HasSubstr("\"modules_to_save\" has \"lm_head\": it was trained along with the adapter"));
  for (const char* id : {"lora", "ia3"})
    EXPECT_THAT(opened(id, R"("exclude_modules": ["h.0.mlp.c_fc"])"), HasSubstr("these modules are not adapted"));
}

// PEFT's default is 8, and ours is not.
TEST_F(AdaptersTest, ARankOrAnAlphaThatIsMissingIsToldByItsKey) {
  const auto opened = [](const std::string& members) {
    return failure_of([&] { open_peft("lora", R"({"target_modules": ["c_fc"], )" + members + "}"); });
  };
  EXPECT_EQ(opened(R"("r": 2, "lora_alpha": 4)"), "");
  for (const char* members : {R"("r": 2)", R"("r": 2, "lora_alpha": null)"})
    EXPECT_THAT(opened(members), HasSubstr("adapter_config.json: \"lora_alpha\" is missing, a number was expected"));
  EXPECT_THAT(opened(R"("lora_alpha": 4)"), HasSubstr("adapter_config.json: \"r\" is missing"));
}

// PEFT may scale the input of any module that it is told to; here that is the MLP's last layer.
TEST_F(AdaptersTest, OtherFeedForwardModulesOfIa3AreRefused) {
  const auto opened = [](const std::string& modules) {
    return failure_of([&] {
      open_peft("ia3", R"({"target_modules": ["k_proj", "down_proj"], "feedforward_modules": )" + modules + "}", {},
                "llama");
    });
  };
  for (const char* fine : {"null", R"(["down_proj"])", R"(["mlp.down_proj"])", R"(".*down_proj")"})
    EXPECT_EQ(opened(fine), "") << fine;
  EXPECT_THAT(opened(R"(["k_proj", "down_proj"])"),
              HasSubstr("adapter_config.json: \"feedforward_modules\" is [\"k_proj\",\"down_proj\"], which means "
                        "model.layers.0.self_attn.k_proj, and here that module is none of them; merge the adapter"));
  EXPECT_THAT(opened("[]"), HasSubstr("which leaves out model.layers.0.mlp.down_proj, and here that module is one of"));
}

// By the keys in the file, which whoever made it knows.
TEST_F(AdaptersTest, FaultyFilesAreToldByTheirKeys) {
  const std::vector<float> numbers_of_all = numbers(64, 1);
  const auto opened = [&](const std::function<void(std::vector<SavedTensor>&)>& change) {
    const ScratchFolder folder;
    write_file(folder.path() / "adapter_config.json",
               R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]})");
    std::vector<SavedTensor> list;
    for (const char* layer : {"0", "1"}) {
      const std::string module = std::string("base_model.model.model.layers.") + layer + ".self_attn.q_proj.lora_";
      const auto data = std::as_bytes(std::span(numbers_of_all).first(32));
      list.push_back({module + "A.weight", RGM_F32, {2, 16}, data});
      list.push_back({module + "B.weight", RGM_F32, {16, 2}, data});
    }
    change(list);
    if (!list.empty()) write_safetensors(folder.path() / "adapter_model.safetensors", list);
    return failure_of([&] {
      const auto saved = open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *small_model("llama"));
      Adapted("lora", saved.options.dump(), saved.tensors, "llama");
    });
  };
  const std::string key = "\"base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight\"";
  EXPECT_EQ(opened([](auto&) {}), "");
  EXPECT_THAT(
      opened([](auto& list) { list.pop_back(); }),
      HasSubstr("its file lacks \"lora.layers.1.attention.query.b\", " + key + " of adapter_model.safetensors"));
  EXPECT_THAT(opened([](auto& list) {
                list.back().shape = {32, 1};
              }),
              testing::AllOf(testing::StartsWith(key + " of adapter_model.safetensors: "),
                             HasSubstr("was saved with the shape (32, 1), but (16, 2) is wanted")));
  EXPECT_THAT(
      opened([&](auto& list) {
        list.back().dtype = RGM_I64, list.back().data = std::as_bytes(std::span(numbers_of_all));
      }),
      HasSubstr("adapter_model.safetensors: " + key + " is of int64, float32, float16 or bfloat16 was expected"));
  EXPECT_THAT(opened([](auto& list) { list.clear(); }),
              HasSubstr("adapter_model.safetensors: there is no such file: tensors in the format safetensors were "
                        "expected; if there is only adapter_model.bin"));
}

}  // namespace
}  // namespace rgm::test
