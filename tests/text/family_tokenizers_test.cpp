// family_tokenizers_test.cpp - byte-level BPE of the families that are opened: ids as Hugging Face's library has them
// (tests/parity/record_family_tokenizers.py).
#include <gmock/gmock.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "text/tokenizer.hpp"

namespace rgm::test {
namespace {

const nlohmann::json& recorded() {
  static const auto json =
      parse_json(read_file(fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/family_tokenizers.json"));
  return json;
}

class FamilyTokenizers : public testing::TestWithParam<const char*> {
 protected:
  const nlohmann::json& family = recorded().at(GetParam());
  const TokenizerPtr tokenizer = tokenizer_from_json(family.at("tokenizer"), GetParam());
  const std::vector<std::string> texts = recorded().at("texts");
};
INSTANTIATE_TEST_SUITE_P(All, FamilyTokenizers,
                         testing::Values("gpt_neox", "llama3", "mistral_tekken", "qwen", "olmo2"),
                         [](const auto& info) { return info.param; });

TEST_P(FamilyTokenizers, IdsOfHardTextsAreTheirs) {
  for (size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(tokenizer->encode(texts[i]), family.at("ids")[i].get<std::vector<int32_t>>()) << "text " << i;
}

TEST_P(FamilyTokenizers, IdsStandForTheTextOrItsComposedForm) {
  const bool composes = !family["tokenizer"]["normalizer"].is_null();
  for (const std::string& text : texts) {
    const std::string back = tokenizer->decode(tokenizer->encode(text));
    if (composes)
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(back)), back);
    else
      EXPECT_EQ(back, text);
  }
}

// Wherever a text may be cut: each half is encoded as it is in the whole.
size_t cuts_that_hold(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  size_t cut = 0;
  std::string all;
  for (const std::string& text : texts) all += text + " and\nmore ";
  const auto whole = tokenizer.encode(all);
  for (size_t end = 1; end < all.size(); end += 7) {
    const size_t n = tokenizer.stable_prefix(std::string_view(all).substr(0, end));
    if (n == 0) continue;
    auto halves = tokenizer.encode(std::string_view(all).substr(0, n));
    const auto rest = tokenizer.encode_on(std::string_view(all).substr(n));
    halves.insert(halves.end(), rest.begin(), rest.end());
    EXPECT_EQ(halves, whole) << "cut at " << n;
    cut += halves == whole;
  }
  return cut;
}

TEST_P(FamilyTokenizers, PiecesOfATextHaveTheIdsOfTheWhole) { EXPECT_GT(cuts_that_hold(*tokenizer, texts), 100U); }

TEST_P(FamilyTokenizers, WhatIsSavedIsTheFileThatWasOpened) {
  const fs::path folder = fs::temp_directory_path() / ("regimen-tokenizer-" + std::to_string(getpid()));
  const auto specials = tokenizer->specials();
  const std::string last = specials.rbegin()->first;
  const nlohmann::json config = {{"eos_token", {{"content", last}}}, {"chat_template", "{{ messages }}"}};
  save_tokenizer(*tokenizer_from_json(family.at("tokenizer"), GetParam(), config), folder);
  const auto again = load_tokenizer(folder);
  EXPECT_EQ(again->end_of_text(), specials.rbegin()->second);
  EXPECT_EQ(again->config_json(), config);
  EXPECT_EQ(again->encode(texts[8]), tokenizer->encode(texts[8]));
  fs::remove_all(folder);
}

class PieceTokenizers : public FamilyTokenizers {};
INSTANTIATE_TEST_SUITE_P(All, PieceTokenizers, testing::Values("llama2", "mistral_first", "mistral_always", "gemma2"),
                         [](const auto& info) { return info.param; });

TEST_P(PieceTokenizers, IdsAndTextsAreTheirs) {
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto ids = family.at("ids")[i].get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer->encode(texts[i]), ids) << "text " << i;
    EXPECT_EQ(tokenizer->decode(ids), family.at("texts")[i].get<std::string>()) << "text " << i;
  }
}

TEST_P(PieceTokenizers, PiecesOfATextHaveTheIdsOfTheWhole) { EXPECT_GT(cuts_that_hold(*tokenizer, texts), 100U); }

TEST_P(PieceTokenizers, AStreamKeepsTheSpacesBetweenWords) {
  TextStream stream(tokenizer);
  std::string shown;
  for (const int32_t id : tokenizer->encode("so said the old boat")) shown += stream.push(id);
  EXPECT_THAT(shown + stream.finish(), testing::EndsWith("so said the old boat"));
}

TEST_P(PieceTokenizers, WhatIsSavedIsTheFileThatWasOpened) { EXPECT_EQ(tokenizer->to_json(), family.at("tokenizer")); }

TEST(TokenizerFiles, NestedWithoutEndAreNamed) {
  const fs::path folder = fs::temp_directory_path() / ("regimen-deep-" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string deep = "{\"x\": " + std::string(200'000, '[') + std::string(200'000, ']') + "}";
  for (const char* const file : {"tokenizer_config.json", "tokenizer.json"}) {
    save_tokenizer(*byte_tokenizer(), folder);
    write_file(folder / file, deep);
    EXPECT_THAT(
        [&] { load_tokenizer(folder); },
        testing::ThrowsMessage<Error>(testing::HasSubstr(std::string(file) + ": JSON is nested more than 100")));
  }
  fs::remove_all(folder);
}

// transformers would give these ids of their own, behind all others.
TEST(TokenizerFiles, TokensThatTheSettingsAloneHaveAreRefused) {
  const auto problem = [](const nlohmann::json& settings) -> std::string {
    try {
      tokenizer_from_json(recorded().at("qwen").at("tokenizer"), "qwen", settings);
      return "";
    } catch (const Error& e) {
      return e.what();
    }
  };
  nlohmann::json settings;
  settings["additional_special_tokens"] = nlohmann::json::array({"<|im_start|>", "<|im_end|>"});
  settings["added_tokens_decoder"]["360"]["content"] = "<think>";
  settings["add_prefix_space"] = false;
  EXPECT_EQ(problem(settings), "");
  settings["additional_special_tokens"].push_back("<tool>");
  EXPECT_THAT(problem(settings),
              testing::HasSubstr("qwen: this tokenizer is not supported: \"additional_special_tokens\" of "
                                 "tokenizer_config.json has the token \"<tool>\", and this file does not"));
  settings["added_tokens_decoder"]["900"]["content"] = "<other>";
  EXPECT_THAT(problem(settings), testing::HasSubstr("\"added_tokens_decoder\" of tokenizer_config.json has the token "
                                                    "\"<other>\""));
  EXPECT_THAT(problem({{"add_prefix_space", true}}),
              testing::HasSubstr("\"add_prefix_space\" of tokenizer_config.json is true, only false is known"));
  // This class has the pre-tokenizer of tokenizer.json, whatever the settings say.
  EXPECT_EQ(problem({{"add_prefix_space", true}, {"tokenizer_class", "PreTrainedTokenizerFast"}}), "");
}

TEST(TokenizerFiles, TheEndOfATextMayStandInTheMapOfSpecialTokens) {
  const fs::path folder = fs::temp_directory_path() / ("regimen-map-" + std::to_string(getpid()));
  fs::create_directories(folder);
  write_file(folder / "tokenizer.json", recorded().at("llama2").at("tokenizer").dump());
  write_file(folder / "special_tokens_map.json", R"({"eos_token": {"content": "</s>"}, "bos_token": "<s>"})");
  const TokenizerPtr llama = load_tokenizer(folder);
  EXPECT_EQ(llama->end_of_text(), 2);
  EXPECT_EQ(llama->config_json()["bos_token"], "<s>");
  write_file(folder / "tokenizer_config.json", R"({"eos_token": "<unk>"})");
  EXPECT_EQ(load_tokenizer(folder)->end_of_text(), 0) << "what the settings say counts more";
  fs::remove_all(folder);
}

TEST(TokenizerFiles, AnEndOfTextWithoutAnIdIsTold) {
  nlohmann::json settings;
  settings["eos_token"] = "<end>";
  testing::internal::CaptureStderr();
  const TokenizerPtr llama = tokenizer_from_json(recorded().at("llama2").at("tokenizer"), "llama2", settings);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("llama2: the \"eos_token\" of tokenizer_config.json is \"<end>\", which is not an "
                                 "added token here: no token ends a text"));
  EXPECT_EQ(llama->end_of_text(), std::nullopt);
}

// As Gemma's file has them: pieces that merges make, and added tokens beside.
TEST(PieceTokenizer, RunsOfSpacesComeBackAsSpaces) {
  nlohmann::json file = recorded().at("gemma2").at("tokenizer");
  const size_t first = file["model"]["vocab"].size();
  const std::string one = "\u2581", two = one + one;
  auto merges = nlohmann::json::array({nlohmann::json::array({one, one}), nlohmann::json::array({two, two})});
  for (const std::string& run : {two, two + two}) {
    const size_t id = file["model"]["vocab"].size();
    file["model"]["vocab"][run] = id;
    file["added_tokens"].push_back({{"id", id}, {"content", run}, {"special", false}, {"normalized", false}});
  }
  for (const auto& merge : file["model"]["merges"]) merges.push_back(merge);
  file["model"]["merges"] = merges;
  const TokenizerPtr gemma = tokenizer_from_json(file, "gemma2");
  const std::string text = "def f():\n    return  1";
  const auto ids = gemma->encode(text);
  EXPECT_THAT(ids, testing::Contains(first + 1));  // four spaces
  EXPECT_EQ(gemma->decode(ids), text);
  EXPECT_EQ(gemma->pieces()[first], "  ");
}

// Gemma 3 of 1B parameters has the tokenizer of those that see images, whose token has no embedding there.
TEST(PieceTokenizer, ATokenForImagesWithoutAnEmbeddingIsPlainText) {
  const fs::path folder = fs::temp_directory_path() / ("regimen-image-token-" + std::to_string(getpid()));
  fs::create_directories(folder);
  nlohmann::json file = recorded().at("gemma2").at("tokenizer");
  const auto image = static_cast<int64_t>(file["model"]["vocab"].size());
  const std::string name = "<image_soft_token>";
  file["added_tokens"].push_back({{"id", image}, {"content", name}, {"special", true}, {"normalized", false}});
  const nlohmann::json config = {{"image_token", name},
                                 {"extra_special_tokens", {{"boi_token", "<s>"}, {"image_token", name}}},
                                 {"added_tokens_decoder", {{std::to_string(image), {{"content", name}}}}}};
  write_file(folder / "tokenizer.json", file.dump());
  write_file(folder / "tokenizer_config.json", config.dump());
  const TokenizerPtr sees = load_tokenizer(folder), reads = load_tokenizer(folder, image);
  EXPECT_EQ(sees->vocabulary(), image + 1);
  EXPECT_EQ(sees->encode(name), std::vector<int32_t>{static_cast<int32_t>(image)});
  EXPECT_EQ(load_tokenizer(folder, image + 1)->vocabulary(), image + 1);
  EXPECT_EQ(reads->vocabulary(), image);
  EXPECT_EQ(reads->decode(reads->encode(name)), name);
  EXPECT_EQ(reads->to_json(), recorded().at("gemma2").at("tokenizer"));
  EXPECT_EQ(reads->config_json(), nlohmann::json({{"extra_special_tokens", {{"boi_token", "<s>"}}},
                                                  {"added_tokens_decoder", nlohmann::json::object()}}));
  fs::remove_all(folder);
}

using Ids = std::vector<int32_t>;

// Hugging Face's library looks for these behind the others, in a text that is normalized, as their names are then.
TokenizerPtr with(const char* family, const char* name, int32_t id) {
  nlohmann::json file = recorded().at(family).at("tokenizer");
  file["added_tokens"].push_back({{"id", id}, {"content", name}, {"normalized", true}, {"special", false}});
  return tokenizer_from_json(file, family);
}

TEST(AddedTokens, NormalizedOnesAreFoundInNormalizedText) {
  const TokenizerPtr llama = with("llama2", "<tool>", 520);  // a space stands in front of it
  EXPECT_EQ(llama->encode("<tool>"), (Ids{520}));
  EXPECT_EQ(llama->encode("r<tool>"), (Ids{342, 301, 63, 303, 300, 300, 297, 65}));
  EXPECT_EQ(llama->encode("r <tool>a"), (Ids{342, 301, 520, 287}));
  EXPECT_EQ(llama->encode("<s><tool> a"), (Ids{1, 520, 507}));
  EXPECT_EQ(llama->decode(Ids{342, 301, 520, 287}), "r <tool>a");
  const TokenizerPtr qwen = with("qwen", "\u00e9!", 361);
  EXPECT_EQ(qwen->encode("ae\u0301!<think>"), (Ids{67, 361, 360}));  // composed first
  EXPECT_EQ(qwen->encode("\u00e9!"), (Ids{361}));
}

// As where an answer ends: 287 and 288 are a and b, 507 is a with a space in front, 342 the space alone.
TEST(AddedTokens, NormalizedOnesAreFoundInATextThatGoesOn) {
  for (const char* const family : {"mistral_first", "gemma2"}) {
    const TokenizerPtr tool = with(family, "<tool>", 520), spaced = with(family, "<a tool>", 520);
    EXPECT_EQ(tool->encode_on("<tool>"), (Ids{520})) << family;
    EXPECT_EQ(tool->encode_on("a<tool>b"), (Ids{287, 520, 288})) << family;
    EXPECT_EQ(tool->encode("a<tool>b").back(), 288) << family << ": as in the whole";
    EXPECT_EQ(spaced->encode_on("a<a tool> a"), (Ids{287, 520, 507})) << family;
  }
  const TokenizerPtr always = with("mistral_always", "<tool>", 520);  // a space in front of what follows a token, too
  EXPECT_EQ(always->encode("a<tool>b"), (Ids{507, 520, 342, 288}));
  EXPECT_EQ(always->encode_on("a<tool>b"), (Ids{287, 520, 342, 288}));
  const TokenizerPtr llama = with("llama2", "<tool>", 520);
  EXPECT_EQ(llama->encode_on("r <tool>a"), (Ids{301, 520, 287}));
}

// Models that were learned by tests/parity/record_sentence_piece.py, and the ids that transformers finds with them.
TEST(SentencePiece, IdsAreThoseOfTransformers) {
  const fs::path recorded = fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/sentence_piece";
  for (const char* const name : {"llama", "mistral", "gemma"}) {
    const auto want = parse_json(read_file(recorded / (std::string(name) + ".json")));
    const fs::path folder = fs::temp_directory_path() / ("regimen-sentencepiece-" + std::to_string(getpid()));
    fs::create_directories(folder);
    write_file(folder / "tokenizer.model", read_file(recorded / (std::string(name) + ".model")));
    write_file(folder / "tokenizer_config.json", want["config"].dump());
    const TokenizerPtr tokenizer = load_tokenizer(folder);
    EXPECT_EQ(tokenizer->end_of_text(), tokenizer->specials().at("</s>"));
    fs::remove(folder / "tokenizer.model");
    save_tokenizer(*tokenizer, folder);
    const TokenizerPtr again = load_tokenizer(folder);
    for (size_t i = 0; i < want["texts"].size(); ++i) {
      const auto text = want["texts"][i].get<std::string>();
      const auto ids = want["ids"][i].get<std::vector<int32_t>>();
      EXPECT_EQ(tokenizer->encode(text), ids) << name << ": " << text;
      EXPECT_EQ(again->encode(text), ids) << name << ", saved: " << text;
      EXPECT_EQ(tokenizer->decode(ids), want["decoded"][i].get<std::string>()) << name << ": " << text;
    }
    fs::remove_all(folder);
  }
}

TEST(SentencePiece, WhatIsNoSuchFileIsRefused) {
  const fs::path folder = fs::temp_directory_path() / ("regimen-sentencepiece-" + std::to_string(getpid()));
  fs::create_directories(folder);
  write_file(folder / "tokenizer.model", "x");
  try {
    load_tokenizer(folder);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr(
                              "tokenizer.model: this is not a tokenizer.model of SentencePiece, or it is damaged"));
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace rgm::test
