// tokenizer_test.cpp - bytes, characters, and the stream of generated text.
#include "text/tokenizer.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "text/special_tokens.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(SpecialTokens, TheLongestNameThatTheTextGoesOnWithIsFound) {
  const SpecialTokens specials = {{"<", 0}, {"<a>", 1}, {"<a><b>", 2}, {"<ab", 3}, {"<b><c>", 4}, {"#", 5}};
  std::string out;
  split_specials(
      "x<a><b>y<a><c>z<abz<q#<b><b", specials,
      [&](std::string_view text, size_t at) { out += fmt::format("{}@{} ", text, at); },
      [&](int32_t id) { out += fmt::format("[{}] ", id); });
  EXPECT_EQ(out, "x@0 [2] y@7 [1] [0] c>z@12 [3] z@18 [0] q@20 [5] [0] b>@23 [0] b@26 ");
}

TEST(ByteTokenizer, IdsAreTheBytesAndTheEndIs256) {
  const auto bytes = byte_tokenizer();
  EXPECT_EQ(bytes->vocabulary(), 257);
  EXPECT_EQ(bytes->end_of_text(), 256);
  EXPECT_THAT(bytes->encode("A\xFF\n<|endoftext|>é"), ElementsAre(65, 255, 10, 256, 0xC3, 0xA9));
  EXPECT_EQ(bytes->decode(bytes->encode("A\xFF<|endoftext|>")), "A\xFF<|endoftext|>");
  EXPECT_THROW(bytes->decode(std::vector<int32_t>{257}), Error);
  EXPECT_THROW(bytes->decode(std::vector<int32_t>{-1}), Error);
}

TEST(CharacterTokenizer, IdsFollowTheOrderOfCodePoints) {
  const auto characters = character_tokenizer("héllo 🚢\n");
  EXPECT_EQ(characters->vocabulary(), 7);
  EXPECT_THAT(characters->pieces(), ElementsAre("\n", " ", "h", "l", "o", "é", "🚢"));
}

TEST(CharacterTokenizer, HasAnEndOnlyWhenAsked) {
  EXPECT_FALSE(character_tokenizer("ab")->end_of_text().has_value());
  const auto with_end = character_tokenizer("ab", true);
  EXPECT_EQ(with_end->end_of_text(), 2);
  EXPECT_THAT(with_end->encode("ba<|endoftext|>"), ElementsAre(1, 0, 2));
}

TEST(CharacterTokenizer, NamesTheUnknownCharacterAndItsPlace) {
  const auto characters = character_tokenizer("abé");
  try {
    characters->encode("abéx");
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.status(), RGM_INVALID);
    EXPECT_THAT(e.what(), HasSubstr("\"x\" (U+0078) at byte 4"));
  }
  try {
    characters->encode(std::string_view("ab\0x", 4));
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("the character U+0000 at byte 2 does not occur")) << "and the rest is told, too";
  }
  EXPECT_THROW(characters->encode("a\xFF"), Error);
  EXPECT_THROW(character_tokenizer("\xFF"), Error);
  EXPECT_THROW(character_tokenizer(""), Error);
}

TEST(CharacterTokenizer, ShakespeareHas65) {
  const char* folder = std::getenv("REGIMEN_DATA");
  const fs::path path = fs::path(folder ? folder : "data") / "shakespeare.txt";
  if (!fs::exists(path)) GTEST_SKIP() << path << " is not here; set REGIMEN_DATA to the folder that has it";
  const std::string text = read_file(path);
  const auto characters = character_tokenizer(text);
  EXPECT_EQ(characters->vocabulary(), 65);
  EXPECT_EQ(characters->decode(characters->encode(text)), text);
}

TEST(Tokenizers, RoundTripHardTextsAndTheirFiles) {
  const auto texts = parse_json(read_file(fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/tokenizer_text.json"));
  std::string all;
  for (const auto& text : texts["hard"]) all += text.get<std::string>();
  const test::Folder folder;
  for (const auto& tokenizer : {byte_tokenizer(), character_tokenizer(all), character_tokenizer(all, true),
                                train_bpe(all, {.vocabulary = 300})}) {
    save_tokenizer(*tokenizer, folder / tokenizer->kind());
    const auto again = load_tokenizer(folder / tokenizer->kind());
    EXPECT_EQ(again->kind(), tokenizer->kind());
    EXPECT_EQ(again->vocabulary(), tokenizer->vocabulary());
    EXPECT_EQ(again->end_of_text(), tokenizer->end_of_text());
    for (const auto& text : texts["hard"]) {
      const auto ids = tokenizer->encode(text.get<std::string>());
      EXPECT_EQ(again->encode(text.get<std::string>()), ids);
      EXPECT_EQ(again->decode(ids), text.get<std::string>()) << tokenizer->kind();
    }
  }
}

TEST(Tokenizers, StablePrefixHoldsBackUnfinishedNamesAndCharacters) {
  EXPECT_EQ(byte_tokenizer()->stable_prefix("ab<|endof"), 2U);
  EXPECT_EQ(byte_tokenizer()->stable_prefix("ab<|endoftext|>"), 15U);
  EXPECT_EQ(byte_tokenizer()->stable_prefix("ab"), 2U);
  EXPECT_EQ(character_tokenizer("aé")->stable_prefix("aé\xC3"), 3U);
  EXPECT_EQ(character_tokenizer("aé")->stable_prefix("aé"), 3U);
  const auto bpe = train_bpe("x", {.vocabulary = 257});
  EXPECT_EQ(bpe->stable_prefix("one two thr"), 7U);
  EXPECT_EQ(bpe->stable_prefix("one  \n  "), 3U);
  EXPECT_EQ(bpe->stable_prefix("one\u3000 two"), 0U);  // white space before white space: no place is safe
  const auto turns = train_bpe("x", {.vocabulary = 258, .specials = {"<|endoftext|>", "<end of turn>"}});
  EXPECT_EQ(turns->stable_prefix("one two<end of turn>"), 3U);  // not within the name
  EXPECT_EQ(turns->stable_prefix("one two<end of turn> x"), 20U);
  EXPECT_EQ(turns->stable_prefix("one two<end of tern>"), 14U);
}

TEST(TextStream, HoldsBackACharacterUntilItIsWhole) {
  TextStream stream(byte_tokenizer());
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.push(0x9F), "");
  EXPECT_EQ(stream.push(0x9A), "");
  EXPECT_EQ(stream.push(0xA2), "🚢");
  EXPECT_EQ(stream.push('a'), "a");
  EXPECT_EQ(stream.finish(), "");
}

TEST(TextStream, BrokenBytesBecomeReplacementCharacters) {
  TextStream stream(byte_tokenizer());
  EXPECT_EQ(stream.push(0xFF), "\uFFFD");
  EXPECT_EQ(stream.push(0xE6), "");
  EXPECT_EQ(stream.push('a'), "\uFFFDa");
  EXPECT_EQ(stream.push(0xE6), "");
  EXPECT_EQ(stream.push(0xB5), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.push(0xED), "");
  EXPECT_EQ(stream.push(0xA0), "\uFFFD\uFFFD");  // a surrogate is broken at once
}

}  // namespace
}  // namespace rgm
