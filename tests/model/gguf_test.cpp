// gguf_test.cpp - models as llama.cpp reads them: names, orders of rows, settings, and what it would compute otherwise.
// With tiny models of all these families llama.cpp gave the log-probabilities that are computed here, to 1.2e-4 (3.2e-3
// with gelu, which it looks up in a table of float16).
#include <cmath>

#include "artefact/folder.hpp"
#include "artefact/gguf_reader.hpp"
#include "model/small.hpp"
#include "model/to_gguf.hpp"

namespace rgm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class GgufOf {
 public:
  explicit GgufOf(const char* id, GgufType type = GgufType::float32) : GgufOf(small_model(id), type) {}
  explicit GgufOf(std::shared_ptr<Model> of, GgufType type = GgufType::float32) : model(std::move(of)) {
    const GgufModel made = to_gguf(*model, "small", type);
    write_gguf(folder_ / "small.gguf", made.metadata, made.tensors);
    file.emplace(folder_ / "small.gguf");
  }
  const std::vector<float>& there(const std::string& name) const { return file->tensors.at(name).values; }
  std::vector<uint64_t> sizes(const std::string& name) const { return file->tensors.at(name).sizes; }
  std::vector<float> ours(const std::string& name) const {
    return to_host(ops::contiguous(model->parameters().find(name)->value));
  }
  double number(const std::string& key) const { return file->numbers.at(key).at(0); }
  bool has(const std::string& key) const { return file->numbers.contains(key) || file->texts.contains(key); }

  std::shared_ptr<Model> model;
  std::optional<ReadGguf> file;

 private:
  Folder folder_;
};

class GgufModels : public testing::Test {
  OnDevice device{Offer::everything};
};

template <class F>
std::string not_in_gguf(const char* id, F&& change) {
  ModelConfig c = small_config(id);
  change(c);
  try {
    gguf_architecture(c);
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
  return "alike";
}

// Heads of 4 channels: 0 turns with 2, and 1 with 3. There, those are neighbours.
TEST_F(GgufModels, InLlamaTheChannelsOfAPairAreNeighbours) {
  const GgufOf llama("llama");
  for (const auto& [theirs, ours] : {std::pair("blk.1.attn_q.weight", "layers.1.attention.query.weight"),
                                     std::pair("blk.1.attn_k.weight", "layers.1.attention.key.weight")}) {
    const auto there = llama.there(theirs), here = llama.ours(ours);
    ASSERT_EQ(there.size(), here.size());
    constexpr size_t order[] = {0, 2, 1, 3};
    for (size_t row = 0; row < there.size() / 16; ++row)
      for (size_t i = 0; i < 16; ++i)
        ASSERT_EQ(there[row * 16 + i], here[(row / 4 * 4 + order[row % 4]) * 16 + i]) << theirs << " row " << row;
  }
  EXPECT_EQ(llama.there("blk.1.attn_v.weight"), llama.ours("layers.1.attention.value.weight"));
  EXPECT_THAT(llama.sizes("blk.0.ffn_down.weight"), ElementsAre(32, 16));
  const GgufOf qwen("qwen2");
  EXPECT_EQ(qwen.there("blk.1.attn_q.weight"), qwen.ours("layers.1.attention.query.weight"));
}

TEST_F(GgufModels, SizesAreWrittenUnderTheArchitecturesName) {
  const GgufOf llama("llama");
  EXPECT_THAT(llama.file->texts.at("general.architecture"), ElementsAre("llama"));
  EXPECT_THAT(llama.file->texts.at("general.name"), ElementsAre("small"));
  for (const auto& [key, value] : std::map<std::string, double>{{"context_length", 24},
                                                                {"embedding_length", 16},
                                                                {"block_count", 2},
                                                                {"feed_forward_length", 32},
                                                                {"attention.head_count", 4},
                                                                {"attention.head_count_kv", 2},
                                                                {"attention.key_length", 4},
                                                                {"rope.dimension_count", 4},
                                                                {"rope.freq_base", 10000}})
    EXPECT_EQ(llama.number("llama." + key), value) << key;
  EXPECT_NEAR(llama.number("llama.attention.layer_norm_rms_epsilon"), 1e-6, 1e-12);
}

TEST_F(GgufModels, WhatLiesTransposedHereIsTurned) {
  const GgufOf gpt2("gpt2");
  EXPECT_EQ(gpt2.there("blk.0.attn_qkv.weight"), gpt2.ours("layers.0.attention.qkv.weight"));
  EXPECT_THAT(gpt2.sizes("blk.0.attn_qkv.weight"), ElementsAre(16, 48));
  EXPECT_EQ(gpt2.there("position_embd.weight"), gpt2.ours("positions.weight"));
  EXPECT_FALSE(gpt2.file->tensors.contains("output.weight")) << "the head is the embedding";
}

TEST_F(GgufModels, GemmasNormsAreOneMore) {
  const GgufOf gemma("gemma3");
  auto expected = gemma.ours("layers.0.attention.query_norm.weight");
  for (float& w : expected) w += 1;
  EXPECT_EQ(gemma.there("blk.0.attn_q_norm.weight"), expected);
  EXPECT_EQ(gemma.number("gemma3.attention.sliding_window"), 3);
  EXPECT_EQ(gemma.number("gemma3.attention.sliding_window_pattern"), 2) << "the second sees all";
  EXPECT_EQ(gemma.number("gemma3.rope.freq_base"), 1e6);
  EXPECT_EQ(gemma.number("gemma3.rope.freq_base_swa"), 1e4);
}

TEST_F(GgufModels, OfPhi3QueryKeyAndValueAreOneTensor) {
  const GgufOf phi("phi3");
  auto expected = phi.ours("layers.0.attention.query.weight");
  for (const char* more : {"key", "value"}) {
    const auto part = phi.ours(fmt::format("layers.0.attention.{}.weight", more));
    expected.insert(expected.end(), part.begin(), part.end());
  }
  EXPECT_EQ(phi.there("blk.0.attn_qkv.weight"), expected);
  EXPECT_THAT(phi.sizes("blk.0.ffn_up.weight"), ElementsAre(16, 64)) << "gate and up";
}

TEST_F(GgufModels, TheExpertsOfALayerAreOneTensor) {
  const GgufOf moe("qwen3_moe");
  std::vector<float> expected;
  for (int e = 0; e < 4; ++e) {
    const auto one = moe.ours(fmt::format("layers.1.mlp.experts.{}.down.weight", e));
    expected.insert(expected.end(), one.begin(), one.end());
  }
  EXPECT_EQ(moe.there("blk.1.ffn_down_exps.weight"), expected);
  const auto hidden = static_cast<uint64_t>(moe.model->config().expert_hidden);
  EXPECT_THAT(moe.sizes("blk.1.ffn_down_exps.weight"), ElementsAre(hidden, 16, 4));
  EXPECT_EQ(moe.number("qwen3moe.expert_count"), 4);
  EXPECT_EQ(moe.number("qwen3moe.expert_feed_forward_length"), hidden);
  const GgufOf shared("qwen2_moe");
  EXPECT_THAT(shared.sizes("blk.0.ffn_gate_inp_shexp.weight"), ElementsAre(16));
  EXPECT_THAT(GgufOf("mixtral").file->texts.at("general.architecture"), ElementsAre("llama"));
}

// What a pair turns slower by: at 8 turns and more in the old context nothing, at few the factor.
TEST_F(GgufModels, Llama3sScalingIsAFactorForEachPair) {
  ModelConfig c = small_config("llama");
  c.rope = {.base = 10000, .scaling = Rope::Scaling::llama3, .factor = 8, .low = 1, .high = 4, .original_context = 64};
  const GgufOf llama(Model::create(c, byte_tokenizer(), 7));
  EXPECT_THAT(llama.there("rope_freqs.weight"), ElementsAre(1, testing::FloatNear(8, 1e-4)));
}

TEST_F(GgufModels, YarnAndLongropeAreToldWithTheirAmplitude) {
  ModelConfig c = small_config("qwen2");
  c.rope = {.base = 100, .scaling = Rope::Scaling::yarn, .factor = 4, .original_context = 6, .attention = 1.5};
  const GgufOf yarn(Model::create(c, byte_tokenizer(), 7));
  EXPECT_THAT(yarn.file->texts.at("qwen2.rope.scaling.type"), ElementsAre("yarn"));
  EXPECT_EQ(yarn.number("qwen2.rope.scaling.factor"), 4);
  EXPECT_EQ(yarn.number("qwen2.rope.scaling.original_context_length"), 6);
  EXPECT_NEAR(yarn.number("qwen2.rope.scaling.attn_factor"), 1.5 / (0.1 * std::log(4) + 1), 1e-6)
      << "llama.cpp multiplies by what the paper says";
  c = small_config("phi3");
  c.windows.clear();
  c.rope.scaling = Rope::Scaling::longrope, c.rope.original_context = 12, c.rope.attention = 1.25;
  c.rope.short_factors = {1, 1.5}, c.rope.long_factors = {2, 4};
  const GgufOf longrope(Model::create(c, byte_tokenizer(), 7));
  EXPECT_THAT(longrope.there("rope_factors_short.weight"), ElementsAre(1, testing::FloatEq(1.5)));
  EXPECT_THAT(longrope.there("rope_factors_long.weight"), ElementsAre(2, testing::FloatEq(4)));
  EXPECT_NEAR(longrope.number("phi3.rope.scaling.attn_factor"), 1.25, 1e-6);
}

TEST_F(GgufModels, GranitesMultipliersAreTold) {
  const GgufOf granite("granite");
  const ModelConfig& c = granite.model->config();
  EXPECT_NEAR(granite.number("granite.embedding_scale"), 12, 1e-6);
  EXPECT_NEAR(granite.number("granite.residual_scale"), 0.22, 1e-6);
  EXPECT_NEAR(granite.number("granite.attention.scale"), 0.25, 1e-6);
  EXPECT_NEAR(granite.number("granite.logit_scale"), c.logits_divisor, 1e-6);
}

// A window that llama.cpp does not have changes nothing of a text that fits into it.
TEST_F(GgufModels, WhereItHasNoWindowsAContextIsAsLongAsOne) {
  const auto mistral = small_model("mistral");
  EXPECT_EQ(to_gguf(*mistral, "m", GgufType::float32).longest, 3);
  EXPECT_EQ(GgufOf(mistral).number("llama.context_length"), 3);
  EXPECT_EQ(to_gguf(*small_model("gemma2"), "g", GgufType::float32).longest, 0);
}

TEST_F(GgufModels, AHeadThatHasToBeThereIsTheEmbeddingOnceMore) {
  ModelConfig c = small_config("olmo2");
  c.tied = true;
  const GgufOf olmo(Model::create(c, byte_tokenizer(), 7));
  EXPECT_EQ(olmo.there("output.weight"), olmo.there("token_embd.weight"));
}

TEST_F(GgufModels, VectorsRoutersAndShortRowsAreNotQuantised) {
  const GgufOf moe("qwen3_moe", GgufType::q8_0);
  const auto type = [&](const char* name) { return static_cast<GgufType>(moe.file->tensors.at(name).type); };
  EXPECT_EQ(type("output_norm.weight"), GgufType::float32);
  EXPECT_EQ(type("blk.0.ffn_gate_inp.weight"), GgufType::float32);
  EXPECT_EQ(type("token_embd.weight"), GgufType::float16) << "rows of 16, and a block has 32";
  EXPECT_EQ(moe.number("general.file_type"), 7);
  const GgufOf llama("llama", GgufType::q8_0);
  EXPECT_EQ(static_cast<GgufType>(llama.file->tensors.at("blk.0.ffn_down.weight").type), GgufType::q8_0);
  const auto here = llama.ours("layers.0.mlp.down.weight"), there = llama.there("blk.0.ffn_down.weight");
  for (size_t i = 0; i < here.size(); ++i) ASSERT_NEAR(there[i], here[i], 0.02);
}

// llama.cpp looks for tokens of Phi 3 in a model that is called so, and does not open one without them.
TEST_F(GgufModels, ANameThatWantsOtherTokensIsLeftOut) {
  const auto llama = small_model("llama");
  const auto has_name = [&](const char* name) {
    return std::ranges::any_of(to_gguf(*llama, name, GgufType::float32).metadata,
                               [](const auto& entry) { return entry.first == "general.name"; });
  };
  EXPECT_TRUE(has_name("phi"));
  EXPECT_FALSE(has_name("my-Phi-3"));
}

TEST_F(GgufModels, EveryFamilyIsWrittenOrRefusedByName) {
  for (const Family* one : families()) {
    SCOPED_TRACE(one->id);
    if (!one->gguf.architecture) {
      EXPECT_THAT(not_in_gguf(one->id, [](ModelConfig&) {}),
                  HasSubstr(fmt::format("llama.cpp has no architecture for the family {}", one->id)));
      continue;
    }
    auto c = small_config(one->id);
    if (one->gguf.own_keys) c.kv_heads = c.heads;
    if (one->unturned_each > 0) c.turned = usual_turned(c, one->unturned_each);
    const GgufOf written(Model::create(c, byte_tokenizer(), 7));
    EXPECT_TRUE(written.file->tensors.contains("blk.1.attn_output.weight"));
    EXPECT_TRUE(written.has(fmt::format("{}.block_count", one->gguf.architecture)));
  }
}

TEST_F(GgufModels, WhatItWouldComputeOtherwiseIsRefused) {
  const auto says = [](const char* what) { return HasSubstr(what); };
  EXPECT_THAT(not_in_gguf("llama", [](ModelConfig& c) { c.outputs = 2; }), says("a head of its own for labels"));
  EXPECT_THAT(not_in_gguf("llama", [](ModelConfig& c) { c.activation = RGM_RELU; }), says("another activation"));
  EXPECT_THAT(not_in_gguf("olmo2", [](ModelConfig& c) { c.attention_bias = true; }),
              says("biases, which llama.cpp does not have in its \"olmo2\""));
  EXPECT_THAT(not_in_gguf("starcoder2", [](ModelConfig& c) { c.attention_bias = false; }), says("without biases"));
  EXPECT_THAT(not_in_gguf("qwen2", [](ModelConfig& c) { c.head_dim = 8; }), says("4 heads of 8 channels beside 16"));
  EXPECT_THAT(not_in_gguf("olmoe", [](ModelConfig&) {}), says("heads that share keys"));
  EXPECT_THAT(not_in_gguf("gemma2", [](ModelConfig& c) { c.tied = false; }), says("a head that is not the embedding"));
  EXPECT_THAT(not_in_gguf("gemma2", [](ModelConfig& c) { c.query_scalar = 1; }), says("scores scaled by 1"));
  EXPECT_THAT(not_in_gguf("gemma2",
                          [](ModelConfig& c) {
                            c.layers = 46, c.head_dim = 8;
                            c.windows = usual_windows(c, 3);
                          }),
              says("scores scaled by 0.3536"))
      << "with so many layers it scales by channels over heads, which are 4";
  EXPECT_THAT(not_in_gguf("gemma2", [](ModelConfig& c) { c.attention_softcap = 0; }), says("without a cap"));
  EXPECT_THAT(not_in_gguf("gemma3", [](ModelConfig& c) { c.logits_softcap = 30; }), says("a cap on scores or logits"));
  EXPECT_THAT(not_in_gguf("gemma2", [](ModelConfig& c) { c.windows = {0, 3}; }), says("windows that are not those"));
  EXPECT_THAT(not_in_gguf("qwen3_moe", [](ModelConfig& c) { c.normalised_experts = false; }),
              says("experts whose weights do not sum to 1"));
  EXPECT_THAT(not_in_gguf("qwen3_moe", [](ModelConfig& c) { c.dense_layers = {0}; }), says("layers without experts"));
  EXPECT_THAT(not_in_gguf("smollm3",
                          [](ModelConfig& c) {
                            c.turned = {false, true};
                          }),
              says("layers without positions"));
  const auto scaled = [](Rope::Scaling how) {
    return [how](ModelConfig& c) { c.rope.scaling = how, c.rope.factor = 4; };
  };
  EXPECT_THAT(not_in_gguf("qwen2", scaled(Rope::Scaling::llama3)), says("positions scaled by llama3"));
  EXPECT_THAT(not_in_gguf("qwen2", scaled(Rope::Scaling::longrope)), says("positions scaled by longrope"));
  EXPECT_THAT(not_in_gguf("gemma3", scaled(Rope::Scaling::yarn)), says("positions scaled by yarn"));
}

}  // namespace
}  // namespace rgm::test
