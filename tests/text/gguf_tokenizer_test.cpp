// gguf_tokenizer_test.cpp - tokenizers as llama.cpp reads them: with these files it gave the recorded texts the ids
// that are recorded here, but where a warning says otherwise.
#include "text/gguf_tokenizer.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "base/json.hpp"
#include "text/chat.hpp"
#include "text/sentence_piece.hpp"
#include "text/word_patterns.hpp"

namespace rgm {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

template <class T>
T in_gguf(const GgufMetadata& metadata, const std::string& key) {
  for (const auto& [name, value] : metadata)
    if (name == "tokenizer." + key) return std::get<T>(value);
  return {};
}
bool is_in_gguf(const GgufMetadata& metadata, const std::string& key) {
  return std::ranges::any_of(metadata, [&](const auto& entry) { return entry.first == "tokenizer." + key; });
}

json recorded_file(const char* family) {
  static const auto all =
      parse_json(read_file(fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/family_tokenizers.json"));
  return all.at(family).at("tokenizer");
}
GgufMetadata gguf_of_family(const char* family, const json& config = {}) {
  const auto tokenizer = tokenizer_from_json(recorded_file(family), family, config);
  return gguf_tokenizer(*tokenizer, tokenizer->vocabulary(), std::vector<int32_t>{0});
}

template <class F>
std::string refused_by_gguf(F&& make) {
  try {
    make();
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    return e.what();
  }
  return "made";
}

TEST(GgufTokenizer, BytesAreABpeWithoutMerges) {
  const GgufMetadata out = gguf_tokenizer(*byte_tokenizer(), 258);
  EXPECT_EQ(in_gguf<std::string>(out, "ggml.model"), "gpt2");
  EXPECT_TRUE(in_gguf<Words>(out, "ggml.merges").empty());
  const auto tokens = in_gguf<Words>(out, "ggml.tokens");
  EXPECT_EQ(tokens[' '], "Ġ");
  EXPECT_EQ(tokens[256], "<|endoftext|>");
  EXPECT_EQ(tokens[257], "[PAD257]") << "a row of the model that no text has";
  const auto kinds = in_gguf<std::vector<int32_t>>(out, "ggml.token_type");
  EXPECT_THAT(std::vector<int32_t>(kinds.begin() + 255, kinds.end()),
              ElementsAre(gguf_normal, gguf_control, gguf_unused));
  EXPECT_EQ(in_gguf<uint32_t>(out, "ggml.eos_token_id"), 256U);
  EXPECT_EQ(in_gguf<uint32_t>(out, "ggml.bos_token_id"), 256U);
  EXPECT_FALSE(in_gguf<bool>(out, "ggml.add_bos_token"));
}

// llama.cpp takes the twelfth token for the end of a text where none is named, but in this kind.
TEST(GgufTokenizer, CharactersWithoutAnEndAreWrittenSo) {
  const GgufMetadata out = gguf_tokenizer(*character_tokenizer("a\n\\ b"), 5);
  EXPECT_EQ(in_gguf<std::string>(out, "ggml.model"), "rwkv");
  EXPECT_THAT(in_gguf<Words>(out, "ggml.tokens"), ElementsAre("\\n", " ", "\\\\", "a", "b"));
  EXPECT_FALSE(is_in_gguf(out, "ggml.eos_token_id"));
  EXPECT_THAT(refused_by_gguf([] { gguf_tokenizer(*character_tokenizer("aä"), 2); }),
              HasSubstr("has no token that ends a text, and llama.cpp would take another for it: train on from it with "
                        "model: {from: STAGE, add_tokens: [\"<|endoftext|>\"]}"));
}

TEST(GgufTokenizer, CharactersOfSeveralBytesAreMergedOfThese) {
  const GgufMetadata out = gguf_tokenizer(*character_tokenizer("aä€", true), 4);
  EXPECT_EQ(in_gguf<std::string>(out, "ggml.model"), "gpt2");
  // C3 A4, and E2 82 AC.
  EXPECT_THAT(in_gguf<Words>(out, "ggml.tokens"), ElementsAre("a", "Ã¤", "âĤ¬", "<|endoftext|>"));
  EXPECT_THAT(in_gguf<Words>(out, "ggml.merges"), ElementsAre("Ã ¤", "â Ĥ", "âĤ ¬"));
}

TEST(GgufTokenizer, PatternsOfWordsHaveTheirNames) {
  const auto name = [](const char* family) { return in_gguf<std::string>(gguf_of_family(family), "ggml.pre"); };
  EXPECT_EQ(name("gpt_neox"), "gpt-2");
  EXPECT_EQ(name("llama3"), "llama-bpe");
  EXPECT_EQ(name("olmo2"), "dbrx") << "the same pattern, without whole words";
  EXPECT_EQ(name("qwen"), "qwen2");
  EXPECT_EQ(name("mistral_tekken"), "tekken");
  json other = recorded_file("qwen");
  json& pattern = other["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"];
  pattern = word_patterns[3].pattern;
  const auto o200k = tokenizer_from_json(other, "o200k");
  EXPECT_EQ(in_gguf<std::string>(gguf_tokenizer(*o200k, 1000, std::vector<int32_t>{0}), "ggml.pre"), "gpt-4o");
  EXPECT_EQ(o200k->stable_prefix("don't 12 x"), 8U) << "a space ends a number";
  pattern = "\\p{L}+|\\p{N}+";
  const auto tokenizer = tokenizer_from_json(other, "other");
  EXPECT_THAT(
      refused_by_gguf([&] { gguf_tokenizer(*tokenizer, 1000, std::vector<int32_t>{0}); }),
      HasSubstr("by the pattern \"\\p{L}+|\\p{N}+\", for which GGUF has no name known here: convert the model's "
                "folder with llama.cpp's convert_hf_to_gguf.py"));
}

TEST(GgufTokenizer, MergesAndAddedTokensAreThoseOfTheFile) {
  const json file = recorded_file("qwen");
  const GgufMetadata out = gguf_of_family("qwen");
  EXPECT_EQ(in_gguf<Words>(out, "ggml.merges").size(), file["model"]["merges"].size());
  const auto tokens = in_gguf<Words>(out, "ggml.tokens");
  const auto kinds = in_gguf<std::vector<int32_t>>(out, "ggml.token_type");
  const auto kind_of = [&](const char* name) {
    return kinds[static_cast<size_t>(std::ranges::find(tokens, name) - tokens.begin())];
  };
  EXPECT_EQ(kind_of("<|im_end|>"), gguf_control);
  EXPECT_EQ(kind_of("<think>"), gguf_user_defined) << "an added token that is not special";
}

TEST(GgufTokenizer, WhatBeginsAndEndsATextFollowsTheSettings) {
  const json config = {{"bos_token", "<|begin_of_text|>"},
                       {"eos_token", {{"content", "<|end_of_text|>"}}},
                       {"add_bos_token", true},
                       {"chat_template", json::array({{{"name", "default"}, {"template", "A"}},
                                                      {{"name", "tool_use"}, {"template", "B"}}})}};
  const auto plain = tokenizer_from_json(recorded_file("llama3"), "llama3", config);
  const auto tokenizer = with_chat_template(plain, config["chat_template"]);
  const auto& ids = tokenizer->specials();
  const auto begin = ids.at("<|begin_of_text|>"), end = ids.at("<|end_of_text|>"), turn = ids.at("<|eot_id|>");
  const GgufMetadata out = gguf_tokenizer(*tokenizer, tokenizer->vocabulary(), std::vector{end, turn});
  EXPECT_EQ(in_gguf<uint32_t>(out, "ggml.bos_token_id"), static_cast<uint32_t>(begin));
  EXPECT_EQ(in_gguf<uint32_t>(out, "ggml.eos_token_id"), static_cast<uint32_t>(end));
  EXPECT_EQ(in_gguf<uint32_t>(out, "ggml.eot_token_id"), static_cast<uint32_t>(turn)) << "the second end of a text";
  EXPECT_TRUE(in_gguf<bool>(out, "ggml.add_bos_token"));
  EXPECT_FALSE(in_gguf<bool>(out, "ggml.add_eos_token"));
  EXPECT_EQ(in_gguf<std::string>(out, "chat_template"), "A");
  EXPECT_EQ(in_gguf<std::string>(out, "chat_template.tool_use"), "B");
  EXPECT_THAT(in_gguf<Words>(out, "chat_templates"), ElementsAre("tool_use"));
}

// The first merge makes the piece with the highest score.
TEST(GgufTokenizer, SentencePieceHasScoresForMerges) {
  const fs::path folder = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/sentence_piece";
  const json config = parse_json(read_file(folder / "gemma.json")).at("config");
  const json file = json_of_sentence_piece(read_file(folder / "gemma.model"), "gemma", config);
  const auto tokenizer = tokenizer_from_json(file, "gemma", config);
  const GgufMetadata out = gguf_tokenizer(*tokenizer, tokenizer->vocabulary());
  EXPECT_EQ(in_gguf<std::string>(out, "ggml.model"), "llama");
  EXPECT_FALSE(in_gguf<bool>(out, "ggml.add_space_prefix"));
  const auto scores = in_gguf<std::vector<float>>(out, "ggml.scores");
  const auto kinds = in_gguf<std::vector<int32_t>>(out, "ggml.token_type");
  const auto id = [&](const std::string& piece) { return file["model"]["vocab"].at(piece).get<size_t>(); };
  const auto [left, right] = merge_of(file["model"]["merges"][0]);
  EXPECT_EQ(scores[id(left + right)], 0);
  EXPECT_EQ(kinds[id(left + right)], gguf_normal);
  EXPECT_EQ(kinds[id("<0x0A>")], gguf_byte);
  EXPECT_EQ(kinds[id("<unk>")], gguf_unknown);
  EXPECT_EQ(*std::ranges::min_element(scores), -1e9F) << "of what no merge makes";
}

// Learned as BPE is, it joins only the pairs that it has learned; by scores, llama.cpp would join others too.
TEST(GgufTokenizer, MergesThatScoresCannotSayAreRefused) {
  EXPECT_THAT(refused_by_gguf([] { gguf_of_family("llama2"); }),
              HasSubstr("merges characters in a way that llama.cpp's scores cannot say"));
}

}  // namespace
}  // namespace rgm
