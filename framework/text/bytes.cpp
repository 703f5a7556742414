// bytes.cpp - the tokenizer whose ids are the bytes, and 256 for the end of a text. In tokenizer.json it is a
// byte-level BPE without merges.
#include "base/error.hpp"
#include "text/byte_alphabet.hpp"
#include "text/special_tokens.hpp"
#include "text/tokenizer.hpp"
#include "text/tokenizer_json.hpp"

namespace rgm {
namespace {

class ByteTokenizer final : public Tokenizer {
 public:
  ByteTokenizer() : Tokenizer({{std::string(end_of_text_name), 256}}) {}

  std::string kind() const override { return "bytes"; }
  int64_t vocabulary() const override { return 257; }

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
      require(id >= 0 && id <= 256, "tokenizer: id {} is outside the vocabulary of 257", id);
      if (id == 256)
        out += end_of_text_name;
      else
        out += static_cast<char>(id);
    }
    return out;
  }

  size_t stable_prefix(std::string_view text) const override { return before_unfinished_special(text, specials()); }

  std::vector<std::string> pieces() const override {
    std::vector<std::string> out;
    out.reserve(257);
    for (int b = 0; b < 256; ++b) out.emplace_back(1, static_cast<char>(b));
    out.emplace_back(end_of_text_name);
    return out;
  }

  nlohmann::json to_json() const override {
    nlohmann::json vocabulary = nlohmann::json::object();
    for (int b = 0; b < 256; ++b) vocabulary[to_byte_characters(std::string(1, static_cast<char>(b)))] = b;
    vocabulary[std::string(end_of_text_name)] = 256;
    auto out = tokenizer_json(std::move(vocabulary), {}, specials());
    out["pre_tokenizer"] = byte_level_json(false);
    out["decoder"] = byte_level_json(false);
    return out;
  }
};

}  // namespace

TokenizerPtr byte_tokenizer() {
  static const auto one = std::make_shared<ByteTokenizer>();
  return one;
}

}  // namespace rgm
