// bpe_test.cpp - byte-level BPE: merges a reader can check by hand, the ids Hugging Face's library gives, round trips.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "artefact/folder.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "text/bpe.hpp"
#include "text/byte_alphabet.hpp"

namespace rgm {
namespace {

using testing::ElementsAre;
const fs::path parity = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity";

nlohmann::json fixture(const char* name) { return parse_json(read_file(parity / name)); }
int32_t id_of(const Tokenizer& tokenizer, const std::string& piece) {
  const auto pieces = tokenizer.pieces();
  return static_cast<int32_t>(std::ranges::find(pieces, piece) - pieces.begin());
}

TEST(ByteAlphabet, IsGpt2s) {
  EXPECT_EQ(to_byte_characters("a b\n"), "a\u0120b\u010A");
  EXPECT_EQ(from_byte_characters("a\u0120b\u010A"), "a b\n");
  EXPECT_FALSE(from_byte_characters("a b").has_value());  // a blank is no byte's name
  for (int b = 0; b < 256; ++b) {
    const std::string byte(1, static_cast<char>(b));
    EXPECT_EQ(from_byte_characters(to_byte_characters(byte)), byte);
  }
}

TEST(BpeTrainer, MergesTheMostFrequentPairFirst) {
  // aaab aaab: (a,a) occurs four times, (a,b) twice; then aa+a and a+b are equal, then ...
  const auto tokenizer = train_bpe("aaab\naaab", {.vocabulary = 258, .specials = {}});
  EXPECT_EQ(tokenizer->to_json()["model"]["merges"], nlohmann::json({"a a", "a b"}));
  EXPECT_THAT(tokenizer->encode("aaab"), ElementsAre(256, 257));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("aaab")), "aaab");
}

TEST(BpeTrainer, EqualCountsGoToTheSmallestIds) {
  const auto tokenizer = train_bpe("cd\nab", {.vocabulary = 257, .specials = {}});
  EXPECT_EQ(tokenizer->to_json()["model"]["merges"], nlohmann::json({"a b"}));
}

TEST(BpeTrainer, StopsWhereNoPairIsLeft) {
  const auto tokenizer = train_bpe("ab", {.vocabulary = 5000, .specials = {}});
  EXPECT_EQ(tokenizer->vocabulary(), 257);
}

TEST(BpeTrainer, NeverMergesAcrossWords) {
  const auto tokenizer = train_bpe("x y x y x y x y", {.vocabulary = 300});
  for (const std::string& piece : tokenizer->pieces())
    EXPECT_TRUE(piece == end_of_text_name || piece.size() <= 2) << piece;
}

TEST(BpeTrainer, PiecesOfTheTextGiveTheSameTokenizer) {
  const std::string text = fixture("tokenizer_text.json")["training"];
  const BpeOptions options{.vocabulary = 400};
  BpeTrainer trainer(options);
  const auto whole = train_bpe(text, options);
  std::string_view rest = text;
  for (size_t piece = 0; !rest.empty(); ++piece) {
    size_t n = whole->stable_prefix(rest.substr(0, 50 + piece));
    if (n == 0) n = rest.size();
    trainer.add(rest.substr(0, n));
    rest.remove_prefix(n);
  }
  EXPECT_EQ(trainer.train()->to_json(), whole->to_json());
}

TEST(BpeTrainer, RefusesAVocabularyWithoutRoomForTheBytes) {
  EXPECT_THROW(train_bpe("text", {.vocabulary = 256}), Error);
  EXPECT_NO_THROW(train_bpe("text", {.vocabulary = 257}));
}

TEST(Bpe, TrainsWhatHuggingFaceTrains) {
  const auto ours = train_bpe(fixture("tokenizer_text.json")["training"].get<std::string>(), {.vocabulary = 400});
  const auto theirs = fixture("tokenizer_bpe.json");
  const auto json = ours->to_json();
  EXPECT_EQ(json["model"]["vocab"], theirs["model"]["vocab"]);
  ASSERT_EQ(json["model"]["merges"].size(), theirs["model"]["merges"].size());
  for (size_t i = 0; i < json["model"]["merges"].size(); ++i) {
    const auto& pair = theirs["model"]["merges"][i];  // their newer files write ["a", "b"]
    EXPECT_EQ(json["model"]["merges"][i], pair[0].get<std::string>() + " " + pair[1].get<std::string>());
  }
}

TEST(Bpe, EncodesAndDecodesHardTextsAsHuggingFaceDoes) {
  const auto tokenizer = load_tokenizer(parity / "tokenizer_bpe.json");
  const auto texts = fixture("tokenizer_text.json")["hard"], ids = fixture("tokenizer_ids.json");
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer->encode(texts[i].get<std::string>()), ids[i].get<std::vector<int32_t>>()) << texts[i];
    EXPECT_EQ(tokenizer->decode(ids[i].get<std::vector<int32_t>>()), texts[i].get<std::string>());
  }
}

TEST(Bpe, KeepsBytesThatAreNotUtf8) {
  const auto tokenizer = load_tokenizer(parity / "tokenizer_bpe.json");
  std::string all;
  for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
  for (const std::string& text :
       {all, std::string("the \xC3 sea \xE6\xB5 \xFF\xFF boat\xF0\x9F\x9A"), std::string("\x80")})
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(Bpe, AVeryLongWordIsNotQuadratic) {
  const auto tokenizer = load_tokenizer(parity / "tokenizer_bpe.json");
  const std::string text(1 << 20, 'a');
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  const std::string blank(1 << 20, ' ');
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(blank)), blank);
}

TEST(Bpe, CutAtAStablePrefixTheIdsAreThoseOfTheWhole) {
  const auto tokenizer = load_tokenizer(parity / "tokenizer_bpe.json");
  std::string text;
  const auto texts = fixture("tokenizer_text.json");
  for (const auto& hard : texts["hard"]) text += hard.get<std::string>();
  const auto whole = tokenizer->encode(text);
  for (size_t end = 1; end < text.size(); end += 7) {
    const size_t n = tokenizer->stable_prefix(std::string_view(text).substr(0, end));
    ASSERT_LE(n, end);
    auto ids = tokenizer->encode(std::string_view(text).substr(0, n));
    const auto rest = tokenizer->encode(std::string_view(text).substr(n));
    ids.insert(ids.end(), rest.begin(), rest.end());
    ASSERT_EQ(ids, whole) << "cut at " << n;
  }
}

TEST(Bpe, IsSavedAndReadBackTheSame) {
  const test::Folder folder;
  const auto tokenizer = train_bpe("the sea the boat the sea", {.vocabulary = 270});
  save_tokenizer(*tokenizer, folder.path());
  const auto again = load_tokenizer(folder.path());
  EXPECT_EQ(again->kind(), "bpe");
  EXPECT_EQ(again->to_json(), tokenizer->to_json());
  EXPECT_EQ(again->end_of_text(), 0);
  EXPECT_TRUE(fs::exists(folder / "tokenizer_config.json"));
}

TEST(Bpe, ManyThreadsEncodeAtOnce) {
  const auto tokenizer = load_tokenizer(parity / "tokenizer_bpe.json");
  const auto expected = tokenizer->encode("the small boat in the sea");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) EXPECT_EQ(tokenizer->encode("the small boat in the sea"), expected);
    });
  for (auto& t : threads) t.join();
}

// What stands in the file and what the refusal says.
TEST(Bpe, RefusesWhatItDoesNotKnowByName) {
  const auto refusal = [](const char* pointer, nlohmann::json value) {
    auto json = fixture("tokenizer_bpe.json");
    json[nlohmann::json::json_pointer(pointer)] = std::move(value);
    try {
      tokenizer_from_json(json, "x.json");
    } catch (const Error& e) {
      EXPECT_EQ(e.status(), RGM_INVALID);
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(refusal("/model/type", "Unigram"),
              testing::HasSubstr("x.json: this tokenizer is not supported: model \"Unigram\""));
  EXPECT_THAT(refusal("/normalizer", {{"type", "NFKC"}}), testing::HasSubstr("NFKC"));
  EXPECT_THAT(refusal("/pre_tokenizer/type", "Metaspace"), testing::HasSubstr("Metaspace"));
  EXPECT_THAT(refusal("/model/byte_fallback", true), testing::HasSubstr("beside byte_fallback"));
  EXPECT_THAT(refusal("/model/merges/0", "no such"), testing::HasSubstr("no"));
  EXPECT_THAT(refusal("/model/vocab/a", -1), testing::HasSubstr("the id -1 of the piece \"a\""));
  EXPECT_THAT(refusal("/model/vocab/a", 5), testing::HasSubstr("two pieces with the id 5"));
  EXPECT_THAT(refusal("/model/vocab/a", 100000), testing::HasSubstr("large gaps"));
  EXPECT_THAT(refusal("/model/vocab", nlohmann::json::object()), testing::HasSubstr("x.json"));
  EXPECT_THAT(refusal("/added_tokens/0/id", -7), testing::HasSubstr("the id -7"));
  EXPECT_THAT(refusal("/model", 3), testing::HasSubstr("x.json"));
  EXPECT_THAT(refusal("/model/vocab", 7), testing::HasSubstr("x.json"));
  EXPECT_EQ(refusal("/model/dropout", nullptr), "accepted");
}

TEST(Bpe, ReadsMergesAsStringsToo) {
  auto json = fixture("tokenizer_bpe.json");
  for (auto& merge : json["model"]["merges"]) merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  const auto tokenizer = tokenizer_from_json(json, "x");
  EXPECT_EQ(tokenizer->encode("the sea"), load_tokenizer(parity / "tokenizer_bpe.json")->encode("the sea"));
  EXPECT_EQ(tokenizer->encode(" the"), std::vector{id_of(*tokenizer, " the")});
}

}  // namespace
}  // namespace rgm
