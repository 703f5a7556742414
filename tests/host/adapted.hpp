// adapted.hpp - the base that tests of adapters compare with, and folders as PEFT writes them.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "artefact/safetensors.hpp"
#include "host/plugged.hpp"

namespace rgm::test {

constexpr const char* all_adapters[] = {"lora", "ia3", "prefix", "soft_prompt", "series", "parallel"};

inline const char* few_tokens(const std::string& id) {
  return id == "prefix" || id == "soft_prompt" ? "{length: 3}" : "{}";
}

class AdaptersTest : public TensorTest {
 protected:
  static Tensor base() {
    return small_model()->forward(pass_over(tokens_of({some_tokens(9, 1), some_tokens(9, 2)})), RGM_LOGPROBS)[0];
  }
  // What is read of a folder with this adapter_config.json and these tensors.
  static SavedAdapter open_peft(const std::string& id, const std::string& config,
                                const std::vector<SavedTensor>& tensors = {}, const char* family = "gpt2") {
    const ScratchFolder folder;
    write_file(folder.path() / "adapter_config.json", config);
    write_safetensors(folder.path() / "adapter_model.safetensors", tensors);
    return open_adapter(folder.path(), fixture(id).table<rgm_adapter>(), *small_model(family));
  }
  // The two matrices of a LoRA of rank 2 beside `module`, whose names begin with it.
  static void add_pair(std::vector<SavedTensor>& list, const std::string& module, std::span<const float> a,
                       std::span<const float> b) {
    list.push_back({module + ".lora_A.weight", RGM_F32, {2, std::ssize(a) / 2}, std::as_bytes(a)});
    list.push_back({module + ".lora_B.weight", RGM_F32, {std::ssize(b) / 2, 2}, std::as_bytes(b)});
  }
};

}  // namespace rgm::test
