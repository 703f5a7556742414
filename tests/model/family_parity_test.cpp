// family_parity_test.cpp - tiny models of every family as transformers saved them (tests/parity/record_families.py):
// loss, logits and every gradient, and that what is saved of them opens again.
#include <unistd.h>

#include <cstdlib>

#include "artefact/safetensors.hpp"
#include "model/small.hpp"
#include "model/weights.hpp"

namespace rgm::test {
namespace {

const fs::path recorded_models = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/families";

// The --check of the script opens what is saved there with transformers.
fs::path folder_for_saved() {
  if (const char* kept = std::getenv("REGIMEN_SAVED_FAMILIES")) return kept;
  return fs::temp_directory_path() / ("regimen-families-" + std::to_string(getpid()));
}

class FamilyParity : public testing::TestWithParam<std::tuple<std::string, Offer>> {
 protected:
  FamilyParity() {
    fs::create_directories(opened);
    for (const auto& file : fs::directory_iterator(recorded_models / name))
      fs::copy(file.path(), opened, fs::copy_options::overwrite_existing);
    std::vector<char32_t> letters;
    for (char32_t c = 'A'; letters.size() < 40; ++c) letters.push_back(c);
    save_tokenizer(*character_tokenizer(letters), opened);
    model = Model::open(opened);
    for (const int64_t token : read<int64_t>("tokens")) ids.push_back(static_cast<int32_t>(token));
  }
  ~FamilyParity() override {
    fs::remove_all(opened);
    if (!std::getenv("REGIMEN_SAVED_FAMILIES")) fs::remove_all(saved);
  }
  template <class T>
  std::vector<T> read(const std::string& key) const {
    const SavedTensor* found = record.find(key);
    require(found != nullptr, "no {}", key);
    const T* data = reinterpret_cast<const T*>(found->data.data());
    return {data, data + found->data.size() / sizeof(T)};
  }
  Tensor tokens() const { return from_host(std::span<const int32_t>(ids), {2, 15}); }
  Tensor logits(const Model& of) const {
    return of.forward(pass_over(ops::contiguous(ops::slice(tokens(), 1, 0, 14))), RGM_LOGITS)[0];
  }
  Tensor loss() const { return model->cross_entropy(pass_over(tokens()), ops::full({2, 15}, 1.0 / 28)); }

  const std::string name = std::get<0>(GetParam());
  const fs::path saved = folder_for_saved(), opened = saved.string() + ".opened";
  OnDevice device{std::get<1>(GetParam())};
  SafeTensors record{recorded_models / name / "recorded.safetensors"};
  std::shared_ptr<Model> model;
  std::vector<int32_t> ids;
};

// With fused kernels, and composed of the ten that every backend has.
INSTANTIATE_TEST_SUITE_P(
    All, FamilyParity,
    testing::Combine(testing::Values("gpt2", "gpt_neox", "gpt_neox_serial", "llama_linear", "llama3", "mistral",
                                     "qwen2", "qwen3", "gemma2", "olmo2", "gemma3", "smollm3", "olmo3", "qwen3_yarn",
                                     "phi3", "phi3_long", "granite", "granite_tied", "gpt_neo", "opt", "starcoder2",
                                     "qwen3_moe", "olmoe", "mixtral", "qwen2_moe"),
                     testing::Values(Offer::everything, Offer::nothing)),
    [](const auto& info) { return std::get<0>(info.param) + "_" + name_of(std::get<1>(info.param)); });

TEST_P(FamilyParity, LossAndLogits) {
  const NoGradient no_gradient;
  const float expected = read<float>("loss")[0];
  EXPECT_NEAR(item(loss()) / expected, 1, 1e-4);
  expect_near(to_host(logits(*model)), read<float>("logits"), 1e-4);
}

TEST_P(FamilyParity, EveryGradient) {
  backward(loss());
  for (const ParameterSlot& slot : parameter_slots(model->config())) {
    SCOPED_TRACE(slot.theirs);
    const Tensor gradient = model->parameters().find(slot.ours)->value.gradient();
    ASSERT_TRUE(gradient);
    auto expected = read<float>("gradient." + slot.theirs);
    if (slot.rows_there > 0) {  // a part of a tensor there
      const auto begin = expected.begin() + slot.first_row * slot.shape[1];
      expected = {begin, begin + slot.shape.count()};
    }
    float largest = 0;
    for (const float g : expected) largest = std::max(largest, std::abs(g));
    expect_near(to_host(to_file_order(slot, model->config(), gradient)), expected, 1e-4 * largest + 1e-6);
  }
}

// The first half at once, the others one by one.
TEST_P(FamilyParity, LogitsWithACache) {
  const NoGradient no_gradient;
  KeyValueCache cache(model->config(), 2, 14);
  std::vector<Tensor> states{model->hidden(pass_over(ops::contiguous(ops::slice(tokens(), 1, 0, 7))), &cache)};
  for (int64_t t = 7; t < 14; ++t)
    states.push_back(model->hidden(pass_over(ops::contiguous(ops::slice(tokens(), 1, t, t + 1))), &cache));
  expect_near(to_host(model->logits(ops::concat(states, 1))), read<float>("logits"), 1e-4);
}

TEST_P(FamilyParity, WhatIsSavedOpensAsTheSameModel) {
  const NoGradient no_gradient;
  fs::create_directories(saved / name);
  model->save(saved / name);
  const auto again = Model::open(saved / name);
  EXPECT_EQ(again->parameters().sha256(), model->parameters().sha256());
  EXPECT_EQ(to_hugging_face(again->config()), to_hugging_face(model->config()));
  EXPECT_EQ(to_host(logits(*again)), to_host(logits(*model)));
}

}  // namespace
}  // namespace rgm::test
