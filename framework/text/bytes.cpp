// bytes.cpp - the tokenizer whose ids are the bytes, and 256 for the end of a text; further special tokens may follow.
// In tokenizer.json it is a byte-level BPE without merges.
#include "base/error.hpp"
#include "text/byte_alphabet.hpp"
#include "text/special_tokens.hpp"
#include "text/tokenizer.hpp"
#include "text/tokenizer_json.hpp"

namespace rgm {
namespace {

SpecialTokens behind_bytes(std::span<const std::string> more) {
  SpecialTokens out = {{std::string(end_of_text_name), 256}};
  for (const std::string& name : more) out.emplace(name, static_cast<int32_t>(256 + out.size()));
  return out;
}

class ByteTokenizer final : public Tokenizer {
 public:
  ByteTokenizer(std::span<const std::string> more, const std::string& end_of_text)
      : Tokenizer(behind_bytes(more), end_of_text) {
    for (int b = 0; b < 256; ++b) pieces_.emplace_back(1, static_cast<char>(b));
    pieces_.resize(256 + specials().size());
    for (const auto& [name, id] : specials()) pieces_[static_cast<size_t>(id)] = name;
  }

  std::string kind() const override { return "bytes"; }
  int64_t vocabulary() const override { return static_cast<int64_t>(pieces_.size()); }

  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> out;
    out.reserve(text.size());
    split_specials(
        text, specials(),
        [&](std::string_view plain, size_t) {
          for (const char byte : plain) out.push_back(static_cast<unsigned char>(byte));
        },
        [&](int32_t id) { out.push_back(id); });
    return out;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string out;
    out.reserve(ids.size());
    for (const int32_t id : ids) {
      require(id >= 0 && id < vocabulary(), "tokenizer: id {} is outside the vocabulary of {}", id, vocabulary());
      out += pieces_[static_cast<size_t>(id)];
    }
    return out;
  }

  size_t stable_prefix(std::string_view text) const override { return before_unfinished_special(text, specials()); }

  std::vector<std::string> pieces() const override { return pieces_; }

  nlohmann::json to_json() const override {
    nlohmann::json vocabulary = nlohmann::json::object();
    for (int b = 0; b < 256; ++b) vocabulary[to_byte_characters(std::string(1, static_cast<char>(b)))] = b;
    for (const auto& [name, id] : specials()) vocabulary[name] = id;
    auto out = tokenizer_json(std::move(vocabulary), {}, specials());
    out["pre_tokenizer"] = byte_level_json(false);
    out["decoder"] = byte_level_json(false);
    return out;
  }

 private:
  std::vector<std::string> pieces_;
};

}  // namespace

TokenizerPtr byte_tokenizer() {
  static const TokenizerPtr one = byte_tokenizer({});
  return one;
}

TokenizerPtr byte_tokenizer(std::span<const std::string> more, const std::string& end_of_text) {
  return std::make_shared<ByteTokenizer>(more, end_of_text);
}

}  // namespace rgm
