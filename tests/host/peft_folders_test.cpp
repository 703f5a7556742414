// peft_folders_test.cpp - what PEFT saved is opened: modules that are one there and several here, patterns, and heads.
#include "host/adapted.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

// PEFT adapts GPT-2's c_attn as one: our query, key and value share its A and have a third of its B each.
TEST_F(AdaptersTest, OpensWhatPeftMadeOfAFusedModule) {
  const std::vector<float> a = numbers(2 * 16, 1), b = numbers(48 * 2, 2);
  std::vector<SavedTensor> list;
  for (const char* layer : {"0", "1"})
    add_pair(list, std::string("base_model.model.transformer.h.") + layer + ".attn.c_attn", a, b);
  const auto saved = open_peft(
      "lora", R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["c_attn"], "bias": "none"})", list);
  EXPECT_EQ(saved.id, "");
  EXPECT_EQ(saved.peft_type, "LORA");
  const Adapted adapted("lora", saved.options.dump(), saved.tensors);
  Parameters& all = adapted.adapters->parameters();
  EXPECT_EQ(all.all().size(), 12u);
  EXPECT_EQ(to_host(all.find("lora.layers.1.attention.key.a")->value), a);
  EXPECT_EQ(to_host(all.find("lora.layers.1.attention.key.b")->value),
            std::vector<float>(b.begin() + 32, b.begin() + 64));
}

// Where the embedding is adapted, PEFT puts the base's own beside it.
TEST_F(AdaptersTest, OpensWhatPeftMadeOfAnEmbedding) {
  const std::vector<float> a = numbers(2 * 257, 1), b = numbers(16 * 2, 2), base = numbers(257 * 16, 3);
  const std::string module = "base_model.model.transformer.wte.";
  const std::vector<SavedTensor> list{
      {module + "base_layer.weight", RGM_F32, {257, 16}, std::as_bytes(std::span(base))},
      {module + "lora_embedding_A", RGM_F32, {2, 257}, std::as_bytes(std::span(a))},
      {module + "lora_embedding_B", RGM_F32, {16, 2}, std::as_bytes(std::span(b))}};
  const auto saved = open_peft(
      "lora", R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["wte"], "bias": "none"})", list);
  const Adapted adapted("lora", saved.options.dump(), saved.tensors);
  EXPECT_EQ(to_host(adapted.adapters->parameters().find("lora.embedding.embedding_a")->value), a);
  EXPECT_EQ(adapted.adapters->parameters().all().size(), 2u);
  EXPECT_THAT(failure_of([] { Adapted("lora", "{rank: 17, sites: embedding}"); }),
              HasSubstr("lora: rank 17 is larger than the rows of embedding, 16"));
  EXPECT_THAT(failure_of([] { Adapted("lora", "{rank: 2, dora: true, sites: embedding}"); }),
              HasSubstr("DoRA is for linear layers, not for the embedding"));
}

// A list has names; a text is a regular expression that a module's whole name fits, or "all-linear".
TEST_F(AdaptersTest, TakesWhatPeftTakesForARegularExpression) {
  const auto opened = [](const std::string& modules, const std::vector<std::string>& names) {
    const std::vector<float> a = numbers(2 * 64, 1), b = numbers(64 * 2, 2);
    std::vector<SavedTensor> list;
    for (const std::string& name : names) {
      const size_t in = name.ends_with("mlp.c_proj") ? 32 : 16;
      const size_t out = name.ends_with("c_attn") ? 48 : name.ends_with("c_fc") ? 32 : 16;
      add_pair(list, "base_model.model.transformer.h." + name, std::span(a).first(2 * in), std::span(b).first(2 * out));
    }
    const auto saved = open_peft(
        "lora", R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ")" + modules + "\"}", list);
    const Adapted adapted("lora", saved.options.dump(), saved.tensors);
    return adapted.adapters->parameters().all().size();
  };
  EXPECT_EQ(opened(R"(.*\\.1\\.(attn\\.c_proj|mlp\\.c_fc))", {"1.attn.c_proj", "1.mlp.c_fc"}), 4U);
  std::vector<std::string> all;
  for (const char* layer : {"0", "1"})
    for (const char* part : {".attn.c_attn", ".attn.c_proj", ".mlp.c_fc", ".mlp.c_proj"})
      all.push_back(std::string(layer) + part);
  EXPECT_EQ(opened("all-linear", all), 2U * 2 * 6);
  EXPECT_THAT(failure_of([&] { opened("c_attn", {}); }), HasSubstr("no site that it can act on matches"))
      << "a text must fit the whole name";
  EXPECT_THAT(failure_of([&] { opened(".*(", {}); }),
              HasSubstr("the regular expression \".*(\" is wrong at character 4"));
  EXPECT_THAT(failure_of([&] { opened(R"((.|\\w)*n[^n])", {}); }), HasSubstr("does not come to an end on"));
}

// GPT-NeoX's query_key_value has the rows of one head after the other: 4 of its query, 4 of its key, 4 of its value.
TEST_F(AdaptersTest, OpensWhatPeftMadeOfAnInterleavedModule) {
  const std::vector<float> a = numbers(2 * 16, 1), b = numbers(48 * 2, 2);
  std::vector<SavedTensor> list;
  for (const char* layer : {"0", "1"})
    add_pair(list, std::string("base_model.model.gpt_neox.layers.") + layer + ".attention.query_key_value", a, b);
  const auto saved =
      open_peft("lora", R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["query_key_value"]})",
                list, "gpt_neox");
  const Adapted adapted("lora", saved.options.dump(), saved.tensors, "gpt_neox");
  std::vector<float> keys;
  for (std::ptrdiff_t head = 0; head < 4; ++head)
    keys.insert(keys.end(), b.begin() + 2 * (12 * head + 4), b.begin() + 2 * (12 * head + 8));
  EXPECT_EQ(to_host(adapted.adapters->parameters().find("lora.layers.1.attention.key.b")->value), keys);
  EXPECT_EQ(to_host(adapted.adapters->parameters().find("lora.layers.1.attention.key.a")->value), a);
}

// Ranks and alphas by modules are those of all where they are the same for all; some of a kind are refused.
TEST_F(AdaptersTest, PatternsOfRankAndAlphaAreTakenWhereTheyAreOneForAll) {
  const auto opened = [](const std::string& members) {
    return open_peft("lora", R"({"r": 2, "lora_alpha": 4, "target_modules": ["c_fc", "c_attn"], )" + members + "}")
        .options;
  };
  EXPECT_EQ(opened(R"("rank_pattern": {"h.9.mlp.c_fc": 7, "mlp.c_proj": 7})")["rank"], 2) << "of no site of its";
  EXPECT_EQ(opened(R"("rank_pattern": {"c_fc": 3, "h.[01].attn.c_attn": 3})")["rank"], 3);
  EXPECT_EQ(opened(R"("alpha_pattern": {"c_[fa].*": 1.5})")["alpha"], 1.5);
  EXPECT_THAT(failure_of([&] { opened(R"("alpha_pattern": {"c_fc": 1})"); }),
              HasSubstr("adapter_config.json: \"alpha_pattern\" makes the alpha 4 at transformer.h.0.attn.c_attn and 1 "
                        "at transformer.h.0.mlp.c_fc, but one value for all modules was expected; merge the adapter "
                        "into its base with PEFT"));
  EXPECT_THAT(failure_of([&] { opened(R"("rank_pattern": {"1.mlp.c_fc": 8})"); }), HasSubstr("makes the rank 2 at"));
  EXPECT_THAT(failure_of([&] { opened(R"("rank_pattern": [4])"); }),
              HasSubstr("adapter_config.json: \"rank_pattern\" is [4], an object was expected"));
}

// PEFT's folders do not say what the outputs of a classifier are called.
TEST_F(AdaptersTest, AHeadOfPeftsKeepsTheLabelsOfItsModel) {
  const ScratchFolder folder;
  write_file(folder.path() / "adapter_config.json",
             R"({"peft_type": "LORA", "task_type": "SEQ_CLS", "modules_to_save": ["classifier", "score"]})");
  const std::vector<float> weight = numbers(3 * 16, 1);
  write_safetensors(
      folder.path() / "adapter_model.safetensors",
      std::vector<SavedTensor>{{"base_model.model.score.weight", RGM_F32, {3, 16}, std::as_bytes(std::span(weight))}});
  const auto labels = [&](const std::vector<std::string>& own) {
    const auto model = small_model();
    if (!own.empty()) model->add_head(std::ssize(own), own, 5);
    take_saved_head(folder.path(), *model);
    EXPECT_EQ(to_host(model->parameters().find("score.weight")->value), weight);
    return model->config().labels;
  };
  using testing::ElementsAre;
  EXPECT_THAT(labels({"neg", "pos", "neu"}), ElementsAre("neg", "pos", "neu"));
  EXPECT_THAT(labels({"no", "yes"}), ElementsAre("LABEL_0", "LABEL_1", "LABEL_2"));
  EXPECT_THAT(labels({}), ElementsAre("LABEL_0", "LABEL_1", "LABEL_2"));
}

}  // namespace
}  // namespace rgm::test
