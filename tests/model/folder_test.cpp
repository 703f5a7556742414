// folder_test.cpp - a model's folder: what is saved is opened again, what is wrong is named.
#include <unistd.h>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "model/small.hpp"
#include "tensor/views.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

class Folders : public TensorTest {
 protected:
  Folders() { fs::create_directories(folder); }
  ~Folders() override { fs::remove_all(folder); }
  std::string problem() const {
    try {
      Model::open(folder);
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return e.what();
    }
    return "";
  }
  fs::path folder = fs::temp_directory_path() / ("regimen-model-" + std::to_string(getpid()));
};

TEST_F(Folders, WhatIsSavedIsOpenedAgain) {
  for (const std::string& id : family_ids()) {
    SCOPED_TRACE(id);
    const auto model = small_model(id.c_str());
    model->extra().add("value.weight", values({1, 2, 3}), true);
    model->extra().add("value.count", indices({7}), false, true);
    const std::string hash = model->save(folder);
    const auto again = Model::open(folder);
    EXPECT_EQ(again->save(folder), hash);
    EXPECT_EQ(again->parameters().sha256(), model->parameters().sha256());
    const NoGradient no_gradient;
    const Pass pass = pass_over(tokens_of({some_tokens(6, 1)}));
    EXPECT_EQ(to_host(model->forward(pass, RGM_LOGITS)[0]), to_host(again->forward(pass, RGM_LOGITS)[0]));
    EXPECT_EQ(to_host(again->saved_extra().at("value.weight")), (std::vector<float>{1, 2, 3}));
    EXPECT_EQ(again->saved_extra().at("value.count").dtype(), RGM_I32);
    const auto copy = model->frozen_copy();
    EXPECT_EQ(copy->parameters().sha256(), model->parameters().sha256());
    EXPECT_EQ(copy->parameters().trained_count(), 0);
  }
}

// 5,000,000,000 has no place in 32 bits.
TEST_F(Folders, WhatAPluginHasFiledKeepsItsType) {
  const std::vector<int64_t> large = {5'000'000'000, -1};
  const Tensor wide = ops::cast(sample({2, 3}, 1), RGM_BF16);
  const auto model = small_model();
  const auto file = [&](const char* name, const Tensor& x) { model->extra().add(name, x, false, true); };
  file("mine.large", from_host(large.data(), {2}, RGM_I64));
  file("mine.half", ops::cast(values({0.5, -2}), RGM_F16));
  file("mine.bytes", ops::cast(indices({200, 7}), RGM_U8));
  file("mine.flags", ops::cast(indices({1, 0}), RGM_BOOL));
  file("mine.turned", alias(wide, views::transposed(wide.view())));
  model->save(folder);
  const auto again = Model::open(folder);
  for (const Parameter& p : model->extra().all()) {
    SCOPED_TRACE(p.name);
    const Tensor& x = again->saved_extra().at(p.name);
    EXPECT_EQ(x.dtype(), p.value.dtype());
    EXPECT_EQ(to_host(x), to_host(p.value));
  }
  std::vector<int64_t> kept(2);
  current_device().download(kept.data(), again->saved_extra().at("mine.large").view().data, 16);
  EXPECT_EQ(kept, large);
}

TEST_F(Folders, TheSameSeedDrawsTheSameWeights) {
  const auto hash = [](uint64_t seed) {
    return Model::create(small_config(), byte_tokenizer(), seed)->parameters().sha256();
  };
  EXPECT_EQ(hash(1), hash(1));
  EXPECT_NE(hash(1), hash(2));
}

TEST_F(Folders, NamesMayLackTheirPrefixAndBuffersAreIgnored) {
  const auto model = small_model();
  model->save(folder);
  {
    const SafeTensors file(folder / "model.safetensors");
    std::vector<SavedTensor> tensors = file.tensors();
    for (SavedTensor& t : tensors) t.name = t.name.substr(std::string("transformer.").size());
    SavedTensor mask = tensors[0];
    mask.name = "h.0.attn.bias";
    tensors.push_back(mask);
    write_safetensors(folder / "model.safetensors", tensors);
  }
  EXPECT_EQ(Model::open(folder)->parameters().sha256(), model->parameters().sha256());
}

// As larger models are kept: two files, and an index that says what lies where.
TEST_F(Folders, WeightsMayLieInSeveralFiles) {
  const auto model = small_model("qwen2");
  model->save(folder);
  nlohmann::json map;
  {
    const SafeTensors file(folder / "model.safetensors");
    std::vector<SavedTensor> parts[2];
    for (const SavedTensor& t : file.tensors()) {
      const size_t part = map.size() % 2;
      parts[part].push_back(t);
      map[t.name] = part == 0 ? "a.safetensors" : "b.safetensors";
    }
    write_safetensors(folder / "a.safetensors", parts[0]);
    write_safetensors(folder / "b.safetensors", parts[1]);
  }
  fs::remove(folder / "model.safetensors");
  EXPECT_THAT(problem(), HasSubstr("no model.safetensors.index.json: weights in the format safetensors were expected"));
  const auto index = [&](const nlohmann::json& now) {
    write_file(folder / "model.safetensors.index.json", nlohmann::json{{"weight_map", now}}.dump());
  };
  index(map);
  EXPECT_EQ(Model::open(folder)->parameters().sha256(), model->parameters().sha256());
  nlohmann::json other = map;
  other["model.norm.weight"] = map["model.norm.weight"] == "a.safetensors" ? "b.safetensors" : "a.safetensors";
  index(other);
  EXPECT_THAT(problem(),
              HasSubstr("tensor \"model.norm.weight\" is missing, though model.safetensors.index.json says"));
  other["model.norm.weight"] = "../a.safetensors";
  index(other);
  EXPECT_THAT(problem(), HasSubstr("the name of a file in this folder was expected"));
}

// As transformers 5: the file says more than "tie_word_embeddings".
TEST_F(Folders, AHeadThatIsNotTheEmbeddingIsKeptApart) {
  const auto model = small_model();  // GPT-2's is tied
  model->save(folder);
  const auto add_head = [&](std::byte first) {
    const SafeTensors file(folder / "model.safetensors");
    std::vector<SavedTensor> tensors = file.tensors();
    std::erase_if(tensors, [](const SavedTensor& t) { return t.name == "lm_head.weight"; });
    SavedTensor head = *file.find("transformer.wte.weight");
    std::vector<std::byte> data(head.data.begin(), head.data.end());
    data[0] ^= first;
    head.name = "lm_head.weight", head.data = data;
    tensors.push_back(head);
    write_safetensors(folder / "model.safetensors", tensors);
  };
  add_head(std::byte{0});
  EXPECT_TRUE(Model::open(folder)->config().is_tied());
  EXPECT_EQ(Model::open(folder)->parameters().sha256(), model->parameters().sha256());
  add_head(std::byte{1});
  testing::internal::CaptureStderr();
  const auto apart = Model::open(folder);
  EXPECT_THAT(
      testing::internal::GetCapturedStderr(),
      HasSubstr("config.json: \"tie_word_embeddings\" is true, but \"lm_head.weight\" in the weights is not the "
                "embedding"));
  EXPECT_FALSE(apart->config().is_tied());
  ASSERT_NE(apart->parameters().find("head.weight"), nullptr);
  EXPECT_NE(to_host(apart->parameters().find("head.weight")->value),
            to_host(apart->parameters().find("embedding.weight")->value));
  apart->save(folder);
  EXPECT_EQ(parse_json(read_file(folder / "config.json"))["tie_word_embeddings"], false);
  EXPECT_EQ(Model::open(folder)->parameters().sha256(), apart->parameters().sha256());
}

TEST_F(Folders, HowTextIsGeneratedIsHandedOn) {
  small_model()->save(folder);
  const fs::path file = folder / "generation_config.json";
  EXPECT_FALSE(fs::exists(file));
  const nlohmann::json given = {{"eos_token_id", nlohmann::json::array({7, 9})}, {"top_p", 0.5}};
  write_file(file, given.dump());
  const auto model = Model::open(folder);
  EXPECT_THAT(ends_of_text(model->config()), testing::ElementsAre(256, 7, 9));  // <|endoftext|> is config.json's
  EXPECT_THAT(ends_of_text(model->frozen_copy()->config()), testing::ElementsAre(256, 7, 9));
  fs::remove(file);
  model->save(folder);
  EXPECT_EQ(parse_json(read_file(file)), given);
  write_file(file, "[]");
  EXPECT_THAT(problem(), HasSubstr("generation_config.json: not a JSON object"));
}

// As a state dict of transformers 5 has them, where nobody saved the model.
TEST_F(Folders, ExpertsInOneTensorAreRefusedWithTheWayOut) {
  small_model("mixtral")->save(folder);
  const SafeTensors file(folder / "model.safetensors");
  std::vector<SavedTensor> tensors = file.tensors();
  std::erase_if(tensors, [](const SavedTensor& t) { return t.name.find(".experts.3.") != std::string::npos; });
  EXPECT_LT(tensors.size(), file.tensors().size());
  tensors.back().name = "model.layers.0.mlp.experts.gate_up_proj";
  write_safetensors(folder / "model.safetensors", tensors);
  EXPECT_THAT(problem(), HasSubstr("lie in one tensor"));
}

TEST_F(Folders, WhatIsWrongIsNamed) {
  small_model()->save(folder);
  const SafeTensors file(folder / "model.safetensors");
  std::vector<SavedTensor> tensors = file.tensors();
  const std::string name = tensors.back().name;
  tensors.back().name = "transformer.other";
  write_safetensors(folder / "model.safetensors", tensors);
  EXPECT_THAT(problem(), HasSubstr("tensor \"" + name + "\" is missing"));
  tensors.back().name = name;
  SavedTensor more = tensors.back();
  more.name = "transformer.other";
  tensors.push_back(more);
  write_safetensors(folder / "model.safetensors", tensors);
  EXPECT_THAT(problem(), HasSubstr("tensor \"transformer.other\" belongs to no part"));
  tensors.pop_back();
  for (SavedTensor& t : tensors)
    if (t.shape.size() == 2) std::swap(t.shape[0], t.shape[1]);
  write_safetensors(folder / "model.safetensors", tensors);
  EXPECT_THAT(problem(), HasSubstr("config.json says"));
}

}  // namespace
}  // namespace rgm::test
