// characters.cpp - the tokenizer whose ids are the code points of a training text. In tokenizer.json it is a BPE
// without merges over whole texts, which Hugging Face's library splits into characters just so.
#include <algorithm>
#include <unordered_map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "text/special_tokens.hpp"
#include "text/tokenizer.hpp"
#include "text/tokenizer_json.hpp"

namespace rgm {
namespace {

class CharacterTokenizer final : public Tokenizer {
 public:
  CharacterTokenizer(std::vector<char32_t> characters, SpecialTokens specials, const std::string& end_of_text)
      : Tokenizer(std::move(specials), end_of_text), characters_(std::move(characters)) {
    pieces_.resize(characters_.size() + this->specials().size());
    for (size_t i = 0; i < characters_.size(); ++i) {
      ids_[characters_[i]] = static_cast<int32_t>(i);
      append_utf8(pieces_[i], characters_[i]);
    }
    for (const auto& [name, id] : this->specials()) pieces_[static_cast<size_t>(id)] = name;
  }

  std::string kind() const override { return "characters"; }
  int64_t vocabulary() const override { return static_cast<int64_t>(pieces_.size()); }

  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> out;
    out.reserve(text.size());
    split_specials(
        text, specials(), [&](std::string_view plain, size_t offset) { encode_plain(plain, offset, out); },
        [&](int32_t id) { out.push_back(id); });
    return out;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string out;
    for (const int32_t id : ids) {
      require(id >= 0 && id < vocabulary(), "tokenizer: id {} is outside the vocabulary of {}", id, vocabulary());
      out += pieces_[static_cast<size_t>(id)];
    }
    return out;
  }

  size_t stable_prefix(std::string_view text) const override {
    size_t n = before_unfinished_special(text, specials());
    if (n < text.size()) return n;
    for (size_t back = 1; back <= std::min<size_t>(3, n); ++back) {  // a character may be cut at the end
      const auto byte = static_cast<unsigned char>(text[n - back]);
      if ((byte & 0xC0) == 0x80) continue;
      const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
      return length > back ? n - back : n;
    }
    return n;
  }

  std::vector<std::string> pieces() const override { return pieces_; }

  nlohmann::json to_json() const override {
    nlohmann::json vocabulary = nlohmann::json::object();
    for (size_t i = 0; i < pieces_.size(); ++i) vocabulary[pieces_[i]] = i;
    auto out = tokenizer_json(std::move(vocabulary), {}, specials());
    out["decoder"] = {{"type", "Fuse"}};
    return out;
  }

 private:
  void encode_plain(std::string_view text, size_t offset, std::vector<int32_t>& out) const {
    const auto broken = invalid_utf8(text);
    require(!broken, "tokenizer: the text is not UTF-8 at byte {}", offset + broken.value_or(0));
    for (const char32_t c : code_points(text)) {
      const auto found = ids_.find(c);
      if (found == ids_.end()) {
        std::string character;
        append_utf8(character, c);
        const size_t at = offset + text.find(character);
        invalid(
            "tokenizer: the character {} at byte {} does not occur in the text this tokenizer was made from; leave it "
            "out, or train with the tokenizer \"bytes\" or \"bpe\"",
            character_for_people(c), at);
      }
      out.push_back(found->second);
    }
  }

  std::vector<char32_t> characters_;
  std::unordered_map<char32_t, int32_t> ids_;
  std::vector<std::string> pieces_;
};

}  // namespace

TokenizerPtr character_tokenizer(std::vector<char32_t> characters, bool end_of_text) {
  std::ranges::sort(characters);
  characters.erase(std::unique(characters.begin(), characters.end()), characters.end());
  require(!characters.empty(), "tokenizer: characters need text that is not empty");
  SpecialTokens specials;
  if (end_of_text) specials.emplace(end_of_text_name, static_cast<int32_t>(characters.size()));
  return character_tokenizer(std::move(characters), std::move(specials), std::string(end_of_text_name));
}

TokenizerPtr character_tokenizer(std::vector<char32_t> characters, SpecialTokens specials,
                                 const std::string& end_of_text) {
  return std::make_shared<CharacterTokenizer>(std::move(characters), std::move(specials), end_of_text);
}

TokenizerPtr character_tokenizer(std::string_view training_text, bool end_of_text) {
  const auto broken = invalid_utf8(training_text);
  require(!broken, "tokenizer: the text is not UTF-8 at byte {}", broken.value_or(0));
  return character_tokenizer(code_points(training_text), end_of_text);
}

}  // namespace rgm
