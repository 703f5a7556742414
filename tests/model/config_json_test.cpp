// config_json_test.cpp - config.json of transformers 4 and 5 say the same; what is not supported is named.
#include <gmock/gmock.h>

#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "model/family.hpp"

namespace rgm::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

json plain(const char* type) {
  return {{"model_type", type}, {"vocab_size", 100},       {"num_hidden_layers", 3},       {"num_attention_heads", 4},
          {"hidden_size", 64},  {"intermediate_size", 96}, {"max_position_embeddings", 64}};
}
json with(json config, const json& more) {
  config.update(more);
  return config;
}
ModelConfig read(const json& config) { return from_hugging_face(config, "config.json"); }
std::string problem(const json& config) {
  try {
    read(config);
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
  return "";
}

TEST(ConfigJson, BothVersionsScalePositionsAlike) {
  const json llama3 = {
      {"factor", 8.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 32}};
  const json four =
      with(plain("llama"), {{"rope_theta", 500.0}, {"rope_scaling", with(llama3, {{"rope_type", "llama3"}})}});
  const json five =
      with(plain("llama"), {{"rope_parameters", with(llama3, {{"rope_type", "llama3"}, {"rope_theta", 500.0}})}});
  EXPECT_EQ(to_hugging_face(read(four)), to_hugging_face(read(five)));
  EXPECT_EQ(to_hugging_face(read(to_hugging_face(read(five)))), to_hugging_face(read(five)));
  const auto turns = rope_frequencies(read(five));
  ASSERT_EQ(turns.size(), 8U);
  EXPECT_DOUBLE_EQ(turns[0], 1);                       // 32 / 2 pi = 5.1 times round in the old context: it stays
  const double slow = std::pow(500.0, -2.0 * 7 / 16);  // 0.02 times round
  EXPECT_DOUBLE_EQ(turns[7], slow / 8);
  const double between = std::pow(500.0, -2.0 / 16), kept = (32 * between / (2 * std::numbers::pi) - 1) / 3;
  EXPECT_DOUBLE_EQ(turns[1], between * (kept + (1 - kept) / 8));
}

TEST(ConfigJson, MembersNestedWithoutEndAreRefused) {
  json config = plain("llama");
  config["x"] = json::parse(std::string(200'000, '[') + std::string(200'000, ']'));
  EXPECT_EQ(problem(config), "config.json: JSON is nested more than 100 levels deep, which is the limit");
}

TEST(ConfigJson, ExpertsAreCountedByEitherName) {
  const json experts = {{"moe_intermediate_size", 8}, {"num_experts_per_tok", 2}};
  for (const char* key : {"num_experts", "num_local_experts"}) {
    const ModelConfig c = read(with(with(plain("qwen3_moe"), experts), {{key, 6}}));
    EXPECT_EQ(c.experts, 6);
    EXPECT_EQ(to_hugging_face(c)["num_experts"], 6);
    EXPECT_EQ(to_hugging_face(c)["num_local_experts"], 6);
  }
  const ModelConfig mixtral = read(with(plain("mixtral"), {{"num_key_value_heads", 2}}));
  EXPECT_EQ(mixtral.experts, 8);
  EXPECT_EQ(mixtral.expert_hidden, 96);
  EXPECT_TRUE(mixtral.normalised_experts);
  EXPECT_FALSE(read(plain("olmoe")).normalised_experts);
  EXPECT_THAT(problem(with(plain("olmoe"), {{"num_experts", 4}})),
              HasSubstr("8 experts a token, 1 to 4 were expected, as many as there are"));
  EXPECT_THAT(problem(with(plain("olmoe"), {{"num_experts", 1 << 20}})), HasSubstr("are more than can be"));
  EXPECT_THAT(problem(with(plain("olmoe"), {{"clip_qkv", 8}})), HasSubstr("\"clip_qkv\": 8 is not supported"));
  EXPECT_THAT(problem(with(with(plain("qwen3_moe"), experts), {{"use_sliding_window", true}})),
              HasSubstr("\"use_sliding_window\": true is not supported"));
}

// Of six layers every second, but not layer 1.
TEST(ConfigJson, SomeLayersHaveExperts) {
  const json config = with(
      plain("qwen3_moe"),
      {{"moe_intermediate_size", 8}, {"num_hidden_layers", 6}, {"decoder_sparse_step", 2}, {"mlp_only_layers", {1}}});
  const ModelConfig c = read(config);
  std::vector<int64_t> sparse;
  for (int64_t i = 0; i < 6; ++i)
    if (c.is_sparse(i)) sparse.push_back(i);
  EXPECT_THAT(sparse, ElementsAre(3, 5));
  EXPECT_EQ(to_hugging_face(c)["mlp_only_layers"], json({1}));
  EXPECT_EQ(to_hugging_face(c)["decoder_sparse_step"], 2);
}

// Transformers adds the term only where it also answers the routers' logits.
TEST(ConfigJson, AnEvenLoadCountsWhereRoutersAnswer) {
  const json config = with(plain("olmoe"), {{"router_aux_loss_coef", 0.02}});
  EXPECT_EQ(read(config).balance, 0);
  EXPECT_EQ(to_hugging_face(read(config))["router_aux_loss_coef"], 0.02);
  EXPECT_EQ(to_hugging_face(read(config))["output_router_logits"], false);
  const ModelConfig counts = read(with(config, {{"output_router_logits", true}}));
  EXPECT_EQ(counts.balance, 0.02);
  EXPECT_EQ(to_hugging_face(counts)["router_aux_loss_coef"], 0.02);
  EXPECT_EQ(to_hugging_face(counts)["output_router_logits"], true);
}

TEST(ConfigJson, LinearScalingDividesEveryTurn) {
  const auto c = read(with(plain("llama"), {{"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}}}));
  EXPECT_DOUBLE_EQ(rope_frequencies(c)[0], 0.25);
}

TEST(ConfigJson, PythiaTurnsAQuarterOfItsChannels) {
  const auto old = read(with(plain("gpt_neox"), {{"rotary_pct", 0.25}, {"rotary_emb_base", 10000}}));
  const auto now = read(with(
      plain("gpt_neox"),
      {{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 10000.0}, {"partial_rotary_factor", 0.25}}}}));
  EXPECT_EQ(old.rotary(), 4);
  EXPECT_EQ(to_hugging_face(old), to_hugging_face(now));
  EXPECT_EQ(read(plain("gpt_neox")).rotary(), 4);
}

TEST(ConfigJson, WindowsAreThoseOfTheFamily) {
  EXPECT_THAT(read(with(plain("mistral"), {{"num_key_value_heads", 2}, {"sliding_window", 8}})).windows,
              ElementsAre(8, 8, 8));
  EXPECT_THAT(read(with(plain("mistral"), {{"num_key_value_heads", 2}, {"sliding_window", nullptr}})).windows,
              ElementsAre());
  EXPECT_THAT(read(with(plain("gemma2"), {{"sliding_window", 8}})).windows, ElementsAre(8, 0, 8));
  EXPECT_THAT(read(with(plain("qwen2"), {{"sliding_window", 8}, {"use_sliding_window", false}})).windows,
              ElementsAre());
  const json upper = {{"sliding_window", 8}, {"use_sliding_window", true}, {"max_window_layers", 2}};
  EXPECT_THAT(read(with(plain("qwen3"), upper)).windows, ElementsAre(0, 0, 8));
  EXPECT_THAT(read(with(plain("gemma2"), {{"sliding_window", 8},
                                          {"layer_types", {"full_attention", "full_attention", "sliding_attention"}}}))
                  .windows,
              ElementsAre(0, 0, 8));
}

TEST(ConfigJson, GptNeoListsItsLayersInGroups) {
  const json neo = {{"model_type", "gpt_neo"},
                    {"vocab_size", 100},
                    {"num_layers", 4},
                    {"num_heads", 4},
                    {"hidden_size", 16},
                    {"window_size", 256},
                    {"intermediate_size", nullptr}};
  EXPECT_THAT(read(neo).windows, ElementsAre(0, 256, 0, 256));
  EXPECT_EQ(read(neo).hidden, 64);
  EXPECT_EQ(read(neo).score_scale(), 1);
  const auto grouped = [&](const char* groups) { return with(neo, {{"attention_types", json::parse(groups)}}); };
  const ModelConfig c = read(grouped(R"([[["global", "global", "local"], 1], [["local"], 1]])"));
  EXPECT_THAT(c.windows, ElementsAre(0, 0, 256, 256));
  EXPECT_THAT(read(to_hugging_face(c)).windows, ElementsAre(0, 0, 256, 256));
  EXPECT_THAT(problem(grouped(R"([[["global", "local"], 3]])")), HasSubstr("more than the 4 layers"));
  EXPECT_THAT(problem(grouped(R"([[["local"], 3]])")), HasSubstr("has 3 layers, \"num_layers\" is 4"));
  EXPECT_THAT(problem(grouped(R"([["local", 3]])")), HasSubstr("a list such as"));
}

TEST(ConfigJson, TheOptThatIsBuiltOtherwiseIsRefused) {
  const json opt = with(plain("opt"), {{"ffn_dim", 96}});
  EXPECT_EQ(read(opt).channels, 64);
  EXPECT_EQ(to_hugging_face(read(opt))["word_embed_proj_dim"], 64);
  EXPECT_EQ(parameter_slots(read(opt))[1].shape[0], 66);  // positions: two rows are of none
  EXPECT_THAT(problem(with(opt, {{"do_layer_norm_before", false}, {"word_embed_proj_dim", 32}})),
              HasSubstr("\"do_layer_norm_before\": false is not supported, only true"));
  EXPECT_THAT(problem(with(opt, {{"word_embed_proj_dim", 32}})),
              HasSubstr("vectors of 32 channels in the embedding and 64 in the layers, which is not supported"));
}

// Else transformers takes one that a small vocabulary lacks, and refuses the model.
TEST(ConfigJson, ANewModelNamesNoTokenForPadding) {
  for (const char* id : {"phi3", "opt"}) {
    ModelConfig c;
    c.family = &family(id), c.vocabulary = 257;
    begin_new(c);
    const json out = to_hugging_face(c);
    ASSERT_TRUE(out.contains("pad_token_id"));
    EXPECT_EQ(out["pad_token_id"], nullptr);
  }
}

TEST(ConfigJson, NullIsNoCapAndNothingIsTheFamilys) {
  EXPECT_EQ(read(plain("gemma2")).attention_softcap, 50);
  EXPECT_EQ(read(with(plain("gemma2"), {{"attn_logit_softcapping", nullptr}})).attention_softcap, 0);
  EXPECT_EQ(
      to_hugging_face(read(with(plain("gemma2"), {{"attn_logit_softcapping", nullptr}})))["attn_logit_softcapping"],
      nullptr);
  EXPECT_EQ(read(with(plain("llama"), {{"num_key_value_heads", nullptr}})).kv_heads, 4);
}

TEST(ConfigJson, AnEpsilonOfZeroIsTakenAndANegativeOneRefused) {
  EXPECT_EQ(read(plain("llama")).norm_epsilon(), 1e-6);
  const ModelConfig zero = read(with(plain("llama"), {{"rms_norm_eps", 0}}));
  EXPECT_EQ(zero.norm_epsilon(), 0);
  EXPECT_EQ(to_hugging_face(zero)["rms_norm_eps"], 0);
  EXPECT_EQ(problem(with(plain("llama"), {{"rms_norm_eps", -0.5}})),
            "config.json: \"rms_norm_eps\" is -0.5, 0 or more was expected");
}

TEST(ConfigJson, TextsEndWithTheTokensOfBothFiles) {
  ModelConfig c = read(plain("llama"));
  EXPECT_THAT(ends_of_text(c), ElementsAre());
  c.others["eos_token_id"] = json::array({1, 2});
  EXPECT_THAT(ends_of_text(c), ElementsAre(1, 2));
  c.generation["eos_token_id"] = 7;
  EXPECT_THAT(ends_of_text(c), ElementsAre(1, 2, 7));
  c.others["eos_token_id"] = nullptr;
  EXPECT_THAT(ends_of_text(c), ElementsAre(7));
}

TEST(ConfigJson, WhatNobodyReadsIsHandedOn) {
  const json out = to_hugging_face(read(with(plain("llama"), {{"eos_token_id", {1, 2}}, {"torch_dtype", "bfloat16"}})));
  EXPECT_EQ(out["eos_token_id"], json({1, 2}));
  EXPECT_EQ(out["torch_dtype"], "float32");
  EXPECT_EQ(out["dtype"], "float32");
}

TEST(ConfigJson, WhatIsNotSupportedIsNamedWithWhatIs) {
  EXPECT_THAT(problem(plain("mistrall")),
              HasSubstr("\"model_type\" is \"mistrall\", which is not supported; did you "
                        "mean \"mistral\"? (there are gpt2, gpt_neo, gpt_neox, opt, llama"));
  EXPECT_THAT(problem(with(plain("llama"), {{"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 4.0}}}})),
              HasSubstr("scaled by \"dynamic\" are not supported, only default, linear, llama3, yarn and longrope"));
  EXPECT_THAT(problem(with(plain("llama"), {{"hidden_act", "mish"}})),
              HasSubstr("\"hidden_act\": \"mish\" is not supported, only gelu_new"));
  EXPECT_THAT(problem(with(plain("gemma2"), {{"use_bidirectional_attention", true}})),
              HasSubstr("\"use_bidirectional_attention\": true is not supported, only false"));
  EXPECT_THAT(problem(with(plain("llama"), {{"quantization_config", {{"bits", 4}}}})), HasSubstr("quantised"));
  EXPECT_THAT(problem(with(plain("llama"), {{"partial_rotary_factor", 0.5}})),
              HasSubstr("which a llama does not have"));
  EXPECT_THAT(problem(with(plain("olmo2"), {{"num_hidden_layers", int64_t{1} << 31}})), HasSubstr("layers"));
  json lacking = plain("qwen2");
  lacking.erase("hidden_size");
  EXPECT_THAT(problem(lacking), HasSubstr("\"hidden_size\" is missing"));
}

}  // namespace
}  // namespace rgm::test
