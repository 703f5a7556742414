// adapters_test.cpp - adapters in a small model: they start as the base, train alone, are found by patterns, and come
// back from their folder as they were.
#include <cmath>
#include <functional>
#include <numeric>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "host/plugged.hpp"

namespace rgm::test {
namespace {

using testing::HasSubstr;

constexpr const char* all_adapters[] = {"lora", "ia3", "prefix", "soft_prompt", "series", "parallel"};

const char* few_tokens(const std::string& id) { return id == "prefix" || id == "soft_prompt" ? "{length: 3}" : "{}"; }

class AdaptersTest : public TensorTest {
 protected:
  static Tensor base() {
    return small_model()->forward(pass_over(tokens_of({some_tokens(9, 1), some_tokens(9, 2)})), RGM_LOGPROBS)[0];
  }
};

TEST_F(AdaptersTest, LoraStartsAsTheBaseModel) {
  const Adapted adapted("lora", "{rank: 2}");
  EXPECT_EQ(adapted.adapters->parameters().all().size(), 8u);  // a and b at query and value of two layers
  EXPECT_EQ(adapted.adapters->parameters().all()[0].name, "lora.layers.0.attention.query.a");
  EXPECT_EQ(to_host(adapted.logprobs()), to_host(base()));
}

TEST_F(AdaptersTest, Ia3StartsAsTheBaseModel) { expect_near(Adapted("ia3").logprobs(), base(), 1e-5); }

TEST_F(AdaptersTest, VirtualTokensAppearInNoOutput) {
  for (const char* id : {"prefix", "soft_prompt"}) {
    const Adapted adapted(id, "{length: 3}");
    adapted.disturb();
    const Tensor y = adapted.logprobs();
    EXPECT_EQ(y.shape(), (Shape{2, 9})) << id;
    EXPECT_NE(to_host(y), to_host(base())) << id;
    EXPECT_EQ(adapted.model->virtual_tokens(), 3) << id;
  }
}

// Of all tokens that may stand first one does, so their probabilities sum to 1; without a prompt none is predicted.
TEST_F(AdaptersTest, BehindAPromptTheFirstTokenIsPredictedToo) {
  for (const char* family : {"gpt2", "llama"}) {
    const Adapted adapted("soft_prompt", "{length: 3}", {}, family);
    adapted.disturb();
    std::vector<std::vector<int32_t>> each(257);
    for (int32_t i = 0; i < 257; ++i) each[static_cast<size_t>(i)] = {i};
    const auto logprobs = to_host(adapted.model->forward(pass_over(tokens_of(each)), RGM_LOGPROBS)[0]);
    EXPECT_NEAR(std::accumulate(logprobs.begin(), logprobs.end(), 0.0,
                                [](double sum, float p) { return sum + std::exp(double(p)); }),
                1, 1e-5);
    // Whatever is read behind it, and with which outputs.
    const auto first = to_host(adapted.model->forward(pass_over(tokens_of({{7, 1, 2}})), RGM_LOGPROBS)[0]);
    EXPECT_NEAR(first[0], logprobs[7], 1e-5);
    const auto whole = adapted.model->forward(pass_over(tokens_of({{7, 1, 2}})), RGM_LOGPROBS | RGM_LOGITS);
    EXPECT_EQ(whole[1].shape(), (Shape{1, 3, 257}));
    expect_near(whole[0], adapted.model->forward(pass_over(tokens_of({{7, 1, 2}})), RGM_LOGPROBS)[0], 1e-5);
    EXPECT_EQ(to_host(small_model(family)->forward(pass_over(tokens_of({{7}})), RGM_LOGPROBS)[0])[0], 0);
  }
}

// Two examples of 4 and 5 tokens in one row, and padding: each is predicted as it is alone, and a loss is their sum.
TEST_F(AdaptersTest, APromptPredictsTheFirstTokenOfEveryExampleOfARow) {
  const Adapted adapted("soft_prompt", "{length: 3}");
  adapted.disturb();
  const std::vector<int32_t> a = some_tokens(4, 1), b = some_tokens(5, 2);
  std::vector<int32_t> row = a;
  row.insert(row.end(), b.begin(), b.end());
  row.push_back(0);
  const Pass packed{.tokens = tokens_of({row}), .segments = tokens_of({{1, 1, 1, 1, 2, 2, 2, 2, 2, 0}})};
  const auto together = to_host(adapted.model->forward(packed, RGM_LOGPROBS)[0]);
  double sum = 0;
  size_t at = 0;
  for (const auto& example : {a, b})
    for (const float p : to_host(adapted.model->forward(pass_over(tokens_of({example})), RGM_LOGPROBS)[0])) {
      EXPECT_NEAR(together[at++], p, 1e-4);
      sum -= p;
    }
  EXPECT_EQ(together[9], 0);
  const Tensor loss = adapted.model->cross_entropy(packed, ops::full({1, 10}, 1));
  EXPECT_NEAR(item(loss), sum, 1e-4);
  backward(loss);
  const Tensor packed_gradient = adapted.adapters->parameters().all()[0].value.gradient();
  const Adapted alone("soft_prompt", "{length: 3}");
  alone.disturb();
  for (const auto& example : {a, b})
    backward(alone.model->cross_entropy(pass_over(tokens_of({example})), ops::full({1, std::ssize(example)}, 1)));
  expect_near(packed_gradient, alone.adapters->parameters().all()[0].value.gradient(), 1e-4);
}

// Also where a model multiplies its embedding, as Gemma does, whose window here is 3 tokens long.
TEST_F(AdaptersTest, ASoftPromptOfATextIsReadAsTheText) {
  for (const char* family : {"gpt2", "llama", "gemma2"}) {
    SCOPED_TRACE(family);
    const Adapted adapted("soft_prompt", "{length: 2, init: text, text: ab}", {}, family);
    const NoGradient still;
    const Tensor behind = adapted.model->forward(pass_over(tokens_of({{7}})), RGM_LOGITS)[0];
    const auto plain = small_model(family);
    const Tensor whole = plain->forward(pass_over(tokens_of({{'a', 'b', 7}})), RGM_LOGITS)[0];
    expect_near(behind, ops::contiguous(ops::slice(whole, 1, 2, 3)), 1e-4);
  }
}

// "ab" repeated to three tokens: what is read behind such a prefix finds what it would find behind the text. (A window
// tells them apart: a prefix is seen from outside of it.)
TEST_F(AdaptersTest, APrefixOfATextIsReadAsTheText) {
  for (const char* family : {"gpt2", "llama", "gpt_neox"}) {
    SCOPED_TRACE(family);
    const Adapted adapted("prefix", "{length: 3, init: text, text: ab}", {}, family);
    const NoGradient still;
    const Tensor behind = adapted.model->forward(pass_over(tokens_of({{7, 1, 2, 9}})), RGM_LOGITS)[0];
    const auto plain = small_model(family);
    const Tensor whole = plain->forward(pass_over(tokens_of({{'a', 'b', 'a', 7, 1, 2, 9}})), RGM_LOGITS)[0];
    expect_near(behind, ops::contiguous(ops::slice(whole, 1, 3, 7)), 1e-4);
  }
  EXPECT_THAT(failure_of([] { Adapted("prefix", "{init: text}"); }), HasSubstr("init text needs `text`"));
  EXPECT_THAT(failure_of([] { Adapted("prefix", "{init: text, text: ab, projection: true}"); }),
              HasSubstr("a projection cannot start from a text"));
}

// Values of 0 add nothing; keys that were 0, too, would learn the same in every vector.
TEST_F(AdaptersTest, AZeroPrefixHasKeysThatDifferAndNoValues) {
  for (const char* yaml : {"{length: 3, init: zero}", "{length: 3, init: zero, projection: true}"}) {
    SCOPED_TRACE(yaml);
    const ScratchFolder folder;
    Adapted("prefix", yaml).adapters->save(folder.path(), "base");
    const SafeTensors file(folder.path() / "adapter_model.safetensors");
    const auto* all = reinterpret_cast<const float*>(file.find("prompt_embeddings")->data.data());
    for (int layer = 0; layer < 2; ++layer)  // 16 channels of keys, then of values
      for (int channel = 0; channel < 16; ++channel) {
        const float* const key = all + 32 * layer + channel;
        EXPECT_NE(key[0], key[64]);
        EXPECT_NE(key[64], key[128]);
        for (int vector = 0; vector < 3; ++vector) EXPECT_EQ(key[16 + 64 * vector], 0);
      }
  }
}

TEST_F(AdaptersTest, GradientsReachOnlyTheAdapter) {
  for (const char* id : all_adapters) {
    const Adapted adapted(id, few_tokens(id));
    adapted.disturb();
    backward(ops::sum(adapted.logprobs()));
    for (const Parameter& p : adapted.adapters->parameters().all()) {
      ASSERT_TRUE(p.value.gradient()) << p.name;
      EXPECT_GT(item(ops::sum(ops::unary(RGM_ABS, p.value.gradient()))), 0) << p.name;
    }
    for (const Parameter& p : adapted.model->parameters().all()) EXPECT_FALSE(p.value.gradient()) << p.name;
  }
}

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

// PEFT adapts GPT-2's c_attn as one: our query, key and value share its A and have a third of its B each.
TEST_F(AdaptersTest, OpensWhatPeftMadeOfAFusedModule) {
  const ScratchFolder folder;
  write_file(folder.path() / "adapter_config.json",
             R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["c_attn"], "bias": "none"})");
  const std::vector<float> a = numbers(2 * 16, 1), b = numbers(48 * 2, 2);
  std::vector<SavedTensor> list;
  std::vector<std::string> layers = {"0", "1"};
  for (const std::string& layer : layers) {
    const std::string module = "base_model.model.transformer.h." + layer + ".attn.c_attn";
    list.push_back({module + ".lora_A.weight", RGM_F32, {2, 16}, std::as_bytes(std::span(a))});
    list.push_back({module + ".lora_B.weight", RGM_F32, {48, 2}, std::as_bytes(std::span(b))});
  }
  write_safetensors(folder.path() / "adapter_model.safetensors", list);

  const auto saved = open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *small_model());
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
  const ScratchFolder folder;
  write_file(folder.path() / "adapter_config.json",
             R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["wte"], "bias": "none"})");
  const std::vector<float> a = numbers(2 * 257, 1), b = numbers(16 * 2, 2), base = numbers(257 * 16, 3);
  const std::string module = "base_model.model.transformer.wte.";
  const std::vector<SavedTensor> list{
      {module + "base_layer.weight", RGM_F32, {257, 16}, std::as_bytes(std::span(base))},
      {module + "lora_embedding_A", RGM_F32, {2, 257}, std::as_bytes(std::span(a))},
      {module + "lora_embedding_B", RGM_F32, {16, 2}, std::as_bytes(std::span(b))}};
  write_safetensors(folder.path() / "adapter_model.safetensors", list);
  const auto saved = open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *small_model());
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
    const ScratchFolder folder;
    write_file(folder.path() / "adapter_config.json",
               R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ")" + modules + "\"}");
    const std::vector<float> a = numbers(2 * 64, 1), b = numbers(64 * 2, 2);
    std::vector<SavedTensor> list;
    for (const std::string& name : names) {
      const std::string module = "base_model.model.transformer.h." + name;
      const int64_t in = name.ends_with("mlp.c_proj") ? 32 : 16;
      const int64_t out = name.ends_with("c_attn") ? 48 : name.ends_with("c_fc") ? 32 : 16;
      list.push_back({module + ".lora_A.weight", RGM_F32, {2, in}, std::as_bytes(std::span(a).first(size_t(2 * in)))});
      list.push_back(
          {module + ".lora_B.weight", RGM_F32, {out, 2}, std::as_bytes(std::span(b).first(size_t(2 * out)))});
    }
    write_safetensors(folder.path() / "adapter_model.safetensors", list);
    const auto saved = open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *small_model());
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
  const ScratchFolder folder;
  write_file(folder.path() / "adapter_config.json",
             R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["query_key_value"]})");
  const std::vector<float> a = numbers(2 * 16, 1), b = numbers(48 * 2, 2);
  std::vector<SavedTensor> list;
  const std::string modules[] = {"base_model.model.gpt_neox.layers.0.attention.query_key_value",
                                 "base_model.model.gpt_neox.layers.1.attention.query_key_value"};
  for (const std::string& module : modules) {
    list.push_back({module + ".lora_A.weight", RGM_F32, {2, 16}, std::as_bytes(std::span(a))});
    list.push_back({module + ".lora_B.weight", RGM_F32, {48, 2}, std::as_bytes(std::span(b))});
  }
  write_safetensors(folder.path() / "adapter_model.safetensors", list);
  const auto saved = open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *small_model("gpt_neox"));
  const Adapted adapted("lora", saved.options.dump(), saved.tensors, "gpt_neox");
  std::vector<float> keys;
  for (std::ptrdiff_t head = 0; head < 4; ++head)
    keys.insert(keys.end(), b.begin() + 2 * (12 * head + 4), b.begin() + 2 * (12 * head + 8));
  EXPECT_EQ(to_host(adapted.adapters->parameters().find("lora.layers.1.attention.key.b")->value), keys);
  EXPECT_EQ(to_host(adapted.adapters->parameters().find("lora.layers.1.attention.key.a")->value), a);
}

// What PEFT computes otherwise and is not read here is refused by its name, and the rest of its members is not.
TEST_F(AdaptersTest, WhatPeftWouldDoOtherwiseIsRefused) {
  const auto opened = [](const std::string& id, const std::string& members) {
    const ScratchFolder folder;
    write_file(folder.path() / "adapter_config.json", R"({"r": 2, "lora_alpha": 4, "target_modules": ["c_fc", "c_attn"],
        "bias": "none", "use_dora": false, "modules_to_save": null, "rank_pattern": {}, )" +
                                                          members + "}");
    write_safetensors(folder.path() / "adapter_model.safetensors", std::vector<SavedTensor>{});
    return failure_of([&] { open_adapter(folder.path(), fixture(id).table<rgm_adapter>(), *small_model()); });
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

// Ranks and alphas by modules are those of all where they are the same for all; some of a kind are refused.
TEST_F(AdaptersTest, PatternsOfRankAndAlphaAreTakenWhereTheyAreOneForAll) {
  const auto opened = [](const std::string& members) {
    const ScratchFolder folder;
    write_file(folder.path() / "adapter_config.json",
               R"({"r": 2, "lora_alpha": 4, "target_modules": ["c_fc", "c_attn"], )" + members + "}");
    write_safetensors(folder.path() / "adapter_model.safetensors", std::vector<SavedTensor>{});
    return open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *small_model()).options;
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

// PEFT's default is 8, and ours is not.
TEST_F(AdaptersTest, ARankOrAnAlphaThatIsMissingIsToldByItsKey) {
  const auto opened = [](const std::string& members) {
    const ScratchFolder folder;
    write_file(folder.path() / "adapter_config.json", R"({"target_modules": ["c_fc"], )" + members + "}");
    write_safetensors(folder.path() / "adapter_model.safetensors", std::vector<SavedTensor>{});
    return failure_of([&] { open_adapter(folder.path(), fixture("lora").table<rgm_adapter>(), *small_model()); });
  };
  EXPECT_EQ(opened(R"("r": 2, "lora_alpha": 4)"), "");
  for (const char* members : {R"("r": 2)", R"("r": 2, "lora_alpha": null)"})
    EXPECT_THAT(opened(members), HasSubstr("adapter_config.json: \"lora_alpha\" is missing, a number was expected"));
  EXPECT_THAT(opened(R"("lora_alpha": 4)"), HasSubstr("adapter_config.json: \"r\" is missing"));
}

// PEFT may scale the input of any module that it is told to; here that is the MLP's last layer.
TEST_F(AdaptersTest, OtherFeedForwardModulesOfIa3AreRefused) {
  const auto opened = [](const std::string& modules) {
    const ScratchFolder folder;
    write_file(folder.path() / "adapter_config.json",
               R"({"target_modules": ["k_proj", "down_proj"], "feedforward_modules": )" + modules + "}");
    write_safetensors(folder.path() / "adapter_model.safetensors", std::vector<SavedTensor>{});
    return failure_of([&] { open_adapter(folder.path(), fixture("ia3").table<rgm_adapter>(), *small_model("llama")); });
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

TEST_F(AdaptersTest, NumbersOfTheModelFillTheFormat) {
  const ScratchFolder folder;
  Adapted("prefix", "{length: 2}", {}, "llama").adapters->save(folder.path(), "base");
  const auto config = parse_json(read_file(folder.path() / "adapter_config.json"));
  EXPECT_EQ(config["num_layers"], 2);
  EXPECT_EQ(config["num_attention_heads"], 2);  // that keys have
  EXPECT_EQ(config["token_dim"], 8);
  EXPECT_FALSE(config.contains("target_modules"));
}

TEST_F(AdaptersTest, APatternWithoutASiteIsAnError) {
  EXPECT_THAT(failure_of([] { Adapted("lora", "{sites: \"*.attention.qurey\"}"); }),
              testing::AllOf(HasSubstr("*.attention.qurey"), HasSubstr("did you mean \"*.attention.query\"")));
  EXPECT_THAT(failure_of([] { Adapted("ia3", "{sites: embedding}"); }), HasSubstr("It can act on"));
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

TEST_F(AdaptersTest, ReferencesHaveNone) {
  const Adapted adapted("lora");
  adapted.disturb();
  rgm_model policy{adapted.model}, reference{adapted.model, true, true};
  const Tensor tokens = tokens_of({some_tokens(9, 1), some_tokens(9, 2)}), weights = ops::full({2, 9}, 1);
  const rgm_pass pass{sizeof(rgm_pass), RGM_LOGPROBS, tokens.get(), nullptr, nullptr, 1, nullptr};
  rgm_tensor* out = nullptr;
  ASSERT_EQ(host_table()->models->forward(&reference, &pass, &out), RGM_OK);
  EXPECT_EQ(to_host(Tensor::adopt(out)), to_host(base()));
  EXPECT_EQ(adapted.model->hooks(), adapted.adapters.get());

  // The model against itself without adapters is the model against a frozen base.
  rgm_model other{small_model(), false, true};
  const auto divergence = [&](rgm_model& teacher) {
    EXPECT_EQ(host_table()->models->divergence(&policy, &teacher, &pass, weights.get(), RGM_FORWARD_KL, &out), RGM_OK);
    return Tensor::adopt(out);
  };
  const Tensor d = divergence(reference);
  EXPECT_GT(item(d), 0);
  EXPECT_TRUE(d.needs_gradient());
  EXPECT_EQ(item(d), item(divergence(other)));
  const NoGradient evaluating;
  EXPECT_EQ(item(divergence(reference)), item(d));
  EXPECT_EQ(item(divergence(policy)), 0);
}

}  // namespace
}  // namespace rgm::test
