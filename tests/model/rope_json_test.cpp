// rope_json_test.cpp - config.json of families whose layers turn positions differently, as transformers 4 and 5 write
// it; and positions scaled by yarn.
#include <gmock/gmock.h>

#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "model/small.hpp"

namespace rgm::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

json sizes(const char* type, const json& more) {
  json out = {
      {"model_type", type},     {"vocab_size", 100},        {"hidden_size", 64},   {"num_hidden_layers", 7},
      {"head_dim", 16},         {"num_attention_heads", 4}, {"sliding_window", 8}, {"max_position_embeddings", 64},
      {"intermediate_size", 96}};
  out.update(more);
  return out;
}
ModelConfig opened(const json& config) { return from_hugging_face(config, "config.json"); }
std::string trouble(const json& config) {
  try {
    opened(config);
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
  return "";
}
// Bases by layer, 0 where no positions turn.
std::vector<double> bases(const ModelConfig& c) {
  std::vector<double> out;
  for (size_t i = 0; i < static_cast<size_t>(c.layers); ++i) out.push_back(c.rope_of(i) ? c.rope_of(i)->base : 0);
  return out;
}

const json linear = {{"rope_type", "linear"}, {"factor", 8.0}};

TEST(RopeJson, BothVersionsOfGemma3SayTheSame) {
  const json four = sizes(
      "gemma3_text",
      {{"rope_theta", 1e6}, {"rope_local_base_freq", 1e4}, {"rope_scaling", linear}, {"sliding_window_pattern", 3}});
  const json types = {"sliding_attention", "sliding_attention", "full_attention",   "sliding_attention",
                      "sliding_attention", "full_attention",    "sliding_attention"};
  json full = linear;
  full["rope_theta"] = 1e6;
  const json five =
      sizes("gemma3_text",
            {{"layer_types", types},
             {"rope_parameters",
              {{"full_attention", full}, {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 1e4}}}}}});
  EXPECT_THAT(opened(four).windows, ElementsAre(8, 8, 0, 8, 8, 0, 8));
  EXPECT_THAT(bases(opened(four)), ElementsAre(1e4, 1e4, 1e6, 1e4, 1e4, 1e6, 1e4));
  EXPECT_DOUBLE_EQ(rope_frequencies(opened(four))[0], 1 / 8.0);
  EXPECT_DOUBLE_EQ(rope_frequencies(opened(four), *opened(four).window_rope)[0], 1);
  EXPECT_EQ(to_hugging_face(opened(four)), to_hugging_face(opened(five)));
  const json saved = to_hugging_face(opened(four));  // for both versions
  EXPECT_EQ(saved["model_type"], "gemma3_text");
  EXPECT_EQ(saved["rope_parameters"], five["rope_parameters"]);
  EXPECT_EQ(saved["rope_local_base_freq"], 1e4);
  EXPECT_EQ(saved["layer_types"], types);
  EXPECT_EQ(to_hugging_face(opened(saved)), saved);
}

TEST(RopeJson, Gemma3SeesAllInEverySixthLayerAndCapsNoScores) {
  const ModelConfig c = opened(sizes("gemma3_text", {{"final_logit_softcapping", 30.0}}));
  EXPECT_THAT(bases(c), ElementsAre(1e4, 1e4, 1e4, 1e4, 1e4, 1e6, 1e4));
  EXPECT_EQ(c.logits_softcap, 30);
  EXPECT_EQ(opened(sizes("gemma3_text", json::object())).logits_softcap, 0);
  EXPECT_EQ(to_hugging_face(c)["attn_logit_softcapping"], nullptr);
  EXPECT_THAT(trouble(sizes("gemma3_text", {{"attn_logit_softcapping", 50.0}})), HasSubstr("only null"));
}

TEST(RopeJson, AModelThatSeesImagesIsToldHowItsTextPartOpens) {
  EXPECT_EQ(
      trouble({{"model_type", "gemma3"}, {"text_config", {{"model_type", "gemma3_text"}}}}),
      "config.json: \"model_type\" is \"gemma3\", a model of more than text, and \"text_config\" that of its text "
      "part: save the text part as a model of its own first, as docs/pipelines.md shows");
}

TEST(RopeJson, SmolLm3TurnsNoPositionsInEveryFourthLayerOrWhereItsListSaysSo) {
  EXPECT_THAT(bases(opened(sizes("smollm3", json::object()))), ElementsAre(2e6, 2e6, 2e6, 0, 2e6, 2e6, 2e6));
  EXPECT_THAT(bases(opened(sizes("smollm3", {{"no_rope_layer_interval", 2}, {"rope_theta", 5.0}}))),
              ElementsAre(5, 0, 5, 0, 5, 0, 5));
  const ModelConfig listed = opened(sizes("smollm3", {{"no_rope_layers", {0, 1, 1, 1, 1, 1, 0, 0}}}));
  EXPECT_THAT(bases(listed), ElementsAre(0, 2e6, 2e6, 2e6, 2e6, 2e6, 0));
  EXPECT_THAT(listed.windows, ElementsAre());
  EXPECT_EQ(to_hugging_face(listed)["no_rope_layers"], json({0, 1, 1, 1, 1, 1, 0}));
  EXPECT_THAT(opened(sizes("smollm3", {{"use_sliding_window", true}})).windows, ElementsAre(0, 0, 0, 8, 0, 0, 0));
  EXPECT_THAT(trouble(sizes("smollm3", {{"no_rope_layers", {1, 0}}})),
              HasSubstr("\"no_rope_layers\" is not a list of 7 numbers, 0 where a layer turns no positions"));
  EXPECT_THAT(trouble(sizes("smollm3", {{"no_rope_layers", {1, 1, 1, 2, 1, 1, 1}}})),
              HasSubstr("\"no_rope_layers\" has 2, 0 or 1 was expected"));
}

TEST(RopeJson, Olmo3ScalesThePositionsOfLayersThatSeeAllAlone) {
  const json yarn = {{"rope_type", "yarn"},
                     {"factor", 8.0},
                     {"original_max_position_embeddings", 8192},
                     {"attention_factor", 1.2079441541679836},
                     {"beta_fast", 32.0},
                     {"beta_slow", 1.0}};
  const ModelConfig c = opened(sizes("olmo3", {{"rope_theta", 500.0}, {"rope_scaling", yarn}}));
  EXPECT_THAT(c.windows, ElementsAre(8, 8, 8, 0, 8, 8, 8));
  EXPECT_EQ(bases(c), std::vector<double>(7, 500));
  EXPECT_EQ(c.rope_of(0)->scaling, Rope::Scaling::none);
  EXPECT_EQ(rope_amplitude(c, *c.rope_of(0)), 1);
  EXPECT_EQ(c.rope_of(3)->scaling, Rope::Scaling::yarn);
  EXPECT_EQ(rope_amplitude(c, *c.rope_of(3)), 1.2079441541679836);
  const json saved = to_hugging_face(c);
  EXPECT_EQ(saved["rope_scaling"], yarn);
  EXPECT_EQ(saved["rope_parameters"]["sliding_attention"], json({{"rope_type", "default"}, {"rope_theta", 500.0}}));
  EXPECT_EQ(to_hugging_face(opened(saved)), saved);
}

// A head of 16 at the base 10: pairs turn round 100 / (2 pi) 10^(-i / 8) times in an old context of 100.
TEST(RopeJson, YarnKeepsWhatTurnsOftenAndSlowsDownWhatTurnsSeldom) {
  const auto turns = [](double pair) { return 100 / (2 * std::numbers::pi) * std::pow(10.0, -pair / 8.0); };
  json scaling = {{"rope_type", "yarn"},
                  {"factor", 4.0},
                  {"original_max_position_embeddings", 100},
                  {"beta_fast", turns(1) - 0.01},
                  {"beta_slow", turns(5) + 0.01},
                  {"rope_theta", 10.0}};
  const ModelConfig c = opened(sizes("qwen3", {{"rope_parameters", scaling}}));
  const auto all = rope_frequencies(c);
  ASSERT_EQ(all.size(), 8U);
  const auto share = [&](size_t i) { return all[i] / std::pow(10.0, -static_cast<double>(i) / 8); };
  for (const size_t i : {0, 1}) EXPECT_DOUBLE_EQ(share(i), 1) << i;
  for (const size_t i : {5, 6, 7}) EXPECT_DOUBLE_EQ(share(i), 0.25) << i;
  EXPECT_DOUBLE_EQ(share(2), 1 - 0.75 / 4);  // a quarter of the way
  EXPECT_DOUBLE_EQ(share(3), 1 - 0.75 / 2);
  EXPECT_DOUBLE_EQ(rope_amplitude(c, c.rope), 0.1 * std::log(4) + 1);
  scaling["truncate"] = false, scaling["beta_fast"] = turns(1.5), scaling["beta_slow"] = turns(5.5);
  const ModelConfig exact = opened(sizes("qwen3", {{"rope_parameters", scaling}}));
  EXPECT_NEAR(rope_frequencies(exact)[2], std::pow(10.0, -2 / 8.0) * (1 - 0.75 / 8), 1e-12);  // an eighth of the way
  EXPECT_EQ(to_hugging_face(exact)["rope_parameters"], scaling);
  EXPECT_EQ(to_hugging_face(exact)["rope_scaling"]["truncate"], false);
}

TEST(RopeJson, YarnHasTheDefaultsOfItsPaperAndDeepSeeksRatio) {
  const auto with = [](const json& more) {
    json scaling = {{"type", "yarn"}, {"factor", 40.0}};
    scaling.update(more);
    return sizes("llama", {{"rope_scaling", scaling}});
  };
  const Rope plain = opened(with(json::object())).rope;
  EXPECT_EQ(plain.fast, 32);
  EXPECT_EQ(plain.slow, 1);
  EXPECT_EQ(plain.original_context, 64);
  EXPECT_FALSE(to_hugging_face(opened(with(json::object())))["rope_scaling"].contains("attention_factor"));
  const auto amplitude = [&](const json& more) {
    const ModelConfig c = opened(with(more));
    return rope_amplitude(c, c.rope);
  };
  EXPECT_DOUBLE_EQ(amplitude({{"mscale", 0.5}, {"mscale_all_dim", 1.0}}),
                   (0.05 * std::log(40) + 1) / (0.1 * std::log(40) + 1));
  EXPECT_EQ(amplitude({{"attention_factor", 1.5}}), 1.5);
  EXPECT_THAT(trouble(with({{"beta_fast", 0.5}})), HasSubstr("\"beta_slow\" is 1, at most the \"beta_fast\" of 0.5"));
  EXPECT_THAT(trouble(with({{"attention_factor", -1}})), HasSubstr("\"attention_factor\" is -1"));
}

// Beyond the window, and far enough that each of its kinds of layers matters.
class PositionsByLayer : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Families, PositionsByLayer, testing::Values("gemma3", "smollm3", "olmo3"));

TEST_P(PositionsByLayer, TokensOneByOneAreReadAsInTheWhole) {
  const OnDevice device;
  const NoGradient no_gradient;
  ModelConfig config = small_config(GetParam());
  config.rope.scaling = Rope::Scaling::yarn, config.rope.factor = 4, config.rope.original_context = 8;
  const auto model = Model::create(config, byte_tokenizer(), 7);
  for (Parameter& p : model->parameters().all())
    if (p.value.rank() == 2) assign(p.value, 10 * p.value);
  const Tensor tokens = tokens_of({some_tokens(12, 1), some_tokens(12, 2)});
  const Tensor whole = model->hidden(pass_over(tokens));
  KeyValueCache cache(config, 2, 12);
  for (int64_t t = 0; t < 12; ++t)
    expect_near(model->hidden(pass_over(ops::contiguous(ops::slice(tokens, 1, t, t + 1))), &cache),
                ops::contiguous(ops::slice(whole, 1, t, t + 1)), 1e-4);
}

TEST_P(PositionsByLayer, LayersTurnByTheirOwnTables) {
  const OnDevice device;
  const auto model = small_model(GetParam());
  const bool windows = model->config().window_rope.has_value();
  ASSERT_NE(model->rope_of(0), nullptr);
  EXPECT_NE(model->rope_of(0), model->rope_of(1));
  EXPECT_EQ(model->rope_of(1) != nullptr, windows);
  const double base = std::string(GetParam()) == "gemma3" ? 1e4 : model->config().rope.base;
  EXPECT_NEAR(to_host(model->rope_of(0)->sines)[3], std::sin(std::pow(base, -0.5)),
              1e-6);  // position 1, the second pair
}

}  // namespace
}  // namespace rgm::test
