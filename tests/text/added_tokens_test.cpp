// added_tokens_test.cpp - special tokens that a tokenizer gets: their ids, what is saved, and what cannot be one.
#include "text/added_tokens.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "text/chat.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Names = std::vector<std::string>;

const nlohmann::json& of_family(const char* name) {
  static const auto all =
      parse_json(read_file(fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/family_tokenizers.json"));
  return all.at(name).at("tokenizer");
}

TokenizerPtr saved_and_opened(const Tokenizer& tokenizer) {
  const fs::path folder = fs::temp_directory_path() / ("regimen-added-" + std::to_string(getpid()));
  save_tokenizer(tokenizer, folder);
  TokenizerPtr out = load_tokenizer(folder);
  fs::remove_all(folder);
  return out;
}

TEST(WithAddedTokens, TheirIdsFollowAllOthers) {
  const TokenizerPtr bytes = with_added_tokens(byte_tokenizer(), Names{"<user>", "<end>"}).tokenizer;
  const TokenizerPtr characters = with_added_tokens(character_tokenizer("ab"), Names{"<user>", "<end>"}).tokenizer;
  // 0 ends a text, then come the bytes, and 257 is ab.
  const TokenizerPtr bpe =
      with_added_tokens(train_bpe("abababab", {.vocabulary = 258}), Names{"<user>", "<end>"}).tokenizer;
  for (const TokenizerPtr& tokenizer : {bytes, saved_and_opened(*bytes)}) {
    EXPECT_EQ(tokenizer->kind(), "bytes");
    EXPECT_EQ(tokenizer->vocabulary(), 259);
    EXPECT_EQ(tokenizer->end_of_text(), 256);
    EXPECT_THAT(tokenizer->encode("<user>A<end><|endoftext|><en"), ElementsAre(257, 65, 258, 256, '<', 'e', 'n'));
    EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{258, 65}), "<end>A");
    EXPECT_EQ(tokenizer->stable_prefix("ab<en"), 2U);
  }
  for (const TokenizerPtr& tokenizer : {characters, saved_and_opened(*characters)}) {
    EXPECT_EQ(tokenizer->kind(), "characters");
    EXPECT_THAT(tokenizer->encode("<user>ba<end>"), ElementsAre(2, 1, 0, 3));
    EXPECT_THAT(tokenizer->pieces(), ElementsAre("a", "b", "<user>", "<end>"));
    EXPECT_EQ(tokenizer->end_of_text(), std::nullopt);
  }
  for (const TokenizerPtr& tokenizer : {bpe, saved_and_opened(*bpe)})
    EXPECT_THAT(tokenizer->encode("ab<end>ab<user>"), ElementsAre(257, 259, 257, 258));
}

TEST(WithAddedTokens, WhatIsThereAlreadyStaysAndIsNotAdded) {
  const TokenizerPtr qwen = tokenizer_from_json(of_family("qwen"), "qwen");  // its last id is 360
  const int32_t start = qwen->specials().at("<|im_start|>");
  const WithTokens with = with_added_tokens(qwen, Names{"<|im_start|>", "<x>"});
  EXPECT_THAT(with.added, ElementsAre("<x>"));
  EXPECT_THAT(with.tokenizer->encode("<x><|im_start|>"), ElementsAre(361, start));
  const WithTokens same = with_added_tokens(qwen, Names{"<|im_start|>"});
  EXPECT_TRUE(same.added.empty());
  EXPECT_EQ(same.tokenizer, qwen);
}

TEST(WithAddedTokens, TheRestOfTheFileStaysAsItIs) {
  for (const char* const family : {"qwen", "llama3", "gemma2"}) {
    nlohmann::json before = of_family(family);
    nlohmann::json after = with_added_tokens(tokenizer_from_json(before, family), Names{"<x>"}).tokenizer->to_json();
    EXPECT_EQ(after["added_tokens"].size(), before["added_tokens"].size() + 1) << family;
    EXPECT_EQ(after["added_tokens"].back()["content"], "<x>") << family;
    EXPECT_EQ(after["added_tokens"].back()["special"], true) << family;
    before.erase("added_tokens"), after.erase("added_tokens");
    EXPECT_EQ(after, before) << family;
  }
}

// No space is put where another special token has none, either.
TEST(WithAddedTokens, CharactersOfSentencePieceKeepTheirSpaces) {
  for (const char* const family : {"llama2", "mistral_first", "mistral_always", "gemma2"}) {
    const TokenizerPtr plain = tokenizer_from_json(of_family(family), family);
    const TokenizerPtr with = with_added_tokens(plain, Names{"<x>"}).tokenizer;
    std::vector<int32_t> ids = plain->encode("a<s> b");
    std::ranges::replace(ids, plain->specials().at("<s>"), 520);
    EXPECT_EQ(with->encode("a<x> b"), ids) << family;
  }
}

// Hugging Face's library numbers added tokens behind the pieces that it counts, 521 of them, unless they are pieces.
TEST(WithAddedTokens, WhereIdsHaveGapsTheFileSaysTheId) {
  nlohmann::json file = of_family("llama2");
  ASSERT_EQ(file["model"]["vocab"].size(), 520U);
  file["model"]["vocab"]["far away"] = 525;
  const TokenizerPtr llama = with_added_tokens(tokenizer_from_json(file, "llama2"), Names{"<x>", "<y>"}).tokenizer;
  EXPECT_EQ(llama->specials().at("<y>"), 527);
  EXPECT_EQ(llama->to_json()["model"]["vocab"]["<x>"], 526);
  EXPECT_EQ(llama->to_json()["model"]["vocab"]["<y>"], 527);
}

TEST(WithAddedTokens, TheSettingsListThem) {
  const auto settings = [](const nlohmann::json& config) {
    return with_added_tokens(tokenizer_from_json(of_family("qwen"), "qwen", config), Names{"<x>"})
        .tokenizer->config_json();
  };
  const nlohmann::json plain = settings({{"additional_special_tokens", {"<|im_end|>"}}});
  EXPECT_THAT(plain["additional_special_tokens"].get<Names>(), ElementsAre("<|im_end|>", "<x>"));
  EXPECT_FALSE(plain.contains("added_tokens_decoder"));
  // As transformers 5 has the list, and 4 the ids.
  const nlohmann::json newer = settings(
      {{"extra_special_tokens", {"<|im_end|>"}}, {"added_tokens_decoder", {{"360", {{"content", "<think>"}}}}}});
  EXPECT_THAT(newer["extra_special_tokens"].get<Names>(), ElementsAre("<|im_end|>", "<x>"));
  EXPECT_FALSE(newer.contains("additional_special_tokens"));
  EXPECT_EQ(newer["added_tokens_decoder"]["361"]["content"], "<x>");
  EXPECT_EQ(newer["added_tokens_decoder"]["361"]["special"], true);
  const nlohmann::json bytes = with_added_tokens(byte_tokenizer(), Names{"<b>", "<a>"}).tokenizer->config_json();
  EXPECT_THAT(bytes["additional_special_tokens"].get<Names>(), ElementsAre("<b>", "<a>"));
}

TEST(WithAddedTokens, TheChatTemplateStays) {
  for (const TokenizerPtr& own : {byte_tokenizer(), tokenizer_from_json(of_family("qwen"), "qwen")}) {
    const TokenizerPtr with = with_added_tokens(with_chat_template(own, "{{ messages }}"), Names{"<x>"}).tokenizer;
    EXPECT_EQ(chat_template_of(*with).value().source(), "{{ messages }}") << own->kind();
    EXPECT_EQ(with->end_of_text(), own->end_of_text());
  }
}

TEST(WithAddedTokens, WhatTextIsMadeOfIsNone) {
  const auto problem = [](const TokenizerPtr& tokenizer, const Names& names) -> std::string {
    try {
      with_added_tokens(tokenizer, names);
      return "";
    } catch (const Error& e) {
      return e.what();
    }
  };
  EXPECT_THAT(
      problem(train_bpe("abababab", {.vocabulary = 258}), {"ab"}),
      HasSubstr("\"ab\" is a piece of this tokenizer already, with the id 257, and text is made of it: choose a "
                "name that stands in no text, such as \"<|ab|>\""));
  EXPECT_THAT(problem(character_tokenizer("ab"), {"b"}), HasSubstr("with the id 1"));
  // Which the file writes with letters for bytes: Ċ and Ġa.
  EXPECT_THAT(problem(byte_tokenizer(), {"\n"}), HasSubstr("with the id 10,"));
  EXPECT_THAT(problem(train_bpe("b a a a a", {.vocabulary = 258}), {" a"}), HasSubstr("with the id 257,"));
  EXPECT_THAT(problem(byte_tokenizer(), {"<x>", ""}), HasSubstr("a token without text"));
  EXPECT_THAT(problem(byte_tokenizer(), {"<x>", "<x>"}), HasSubstr("\"<x>\" is given twice"));
}

}  // namespace
}  // namespace rgm
