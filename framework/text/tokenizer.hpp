// tokenizer.hpp - text to numbers and back: bytes, characters, byte-level BPE; trained here, and kept in Hugging Face's
// tokenizer.json, which their library opens with the same ids.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rgm {

inline constexpr std::string_view end_of_text_name = "<|endoftext|>";

// Immutable; every method may be called from any thread.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // "bytes", "characters" or "bpe"
  virtual std::string kind() const = 0;
  // Ids are 0 .. vocabulary() - 1, special tokens included.
  virtual int64_t vocabulary() const = 0;
  // The names of special tokens are recognised in the text, as Hugging Face does. Bytes and BPE take any bytes;
  // characters throw RGM_INVALID at one that has no id, with its offset in `text`.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;
  // Bytes as they were encoded, which may be broken UTF-8 for a part of a text; special tokens appear by name.
  // Throws RGM_INVALID at an id outside the vocabulary.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;
  // The same for ids that go on with a text: some leave out a space in front of one.
  virtual std::string decode_on(std::span<const int32_t> ids) const { return decode(ids); }
  // The same for a text that goes on with one that was encoded up to a stable place: no space is put in front of it.
  virtual std::vector<int32_t> encode_on(std::string_view text) const { return encode(text); }
  // The largest length n such that encode(text) = encode(text[0, n)) + encode_on(text[n, end)) whatever follows `text`,
  // so a file may be encoded in pieces; 0 when there is no such place.
  virtual size_t stable_prefix(std::string_view text) const = 0;
  // Whether a space may be put in front of every text, so that two of them encoded one after the other are not the
  // tokens of the whole.
  virtual bool puts_space_in_front() const { return false; }
  // The bytes of every id, in order; special tokens by name.
  virtual std::vector<std::string> pieces() const = 0;
  // The content of tokenizer.json
  virtual nlohmann::json to_json() const = 0;
  // That of tokenizer_config.json: with roles of special tokens, and a chat template where it was opened with one.
  virtual nlohmann::json config_json() const;

  // What stands between documents and ends an answer: <|endoftext|>, or the eos_token of tokenizer_config.json; nothing
  // for characters unless asked for.
  std::optional<int32_t> end_of_text() const;
  const std::map<std::string, int32_t, std::less<>>& specials() const { return specials_; }

 protected:
  explicit Tokenizer(std::map<std::string, int32_t, std::less<>> specials,
                     std::string end_of_text = std::string(end_of_text_name))
      : specials_(std::move(specials)), end_of_text_(std::move(end_of_text)) {}

 private:
  std::map<std::string, int32_t, std::less<>> specials_;
  std::string end_of_text_;
};

using TokenizerPtr = std::shared_ptr<const Tokenizer>;

// Ids 0..255 are the bytes, 256 is <|endoftext|>.
TokenizerPtr byte_tokenizer();
// With `more` special tokens behind these, from 257 on; `end_of_text` is the one that ends a text.
TokenizerPtr byte_tokenizer(std::span<const std::string> more,
                            const std::string& end_of_text = std::string(end_of_text_name));

// One id for each distinct code point of the text, in the order of code points; with `end_of_text` one more.
// Throws RGM_INVALID where the text is not UTF-8 or is empty.
TokenizerPtr character_tokenizer(std::string_view training_text, bool end_of_text = false);
TokenizerPtr character_tokenizer(std::vector<char32_t> characters, bool end_of_text = false);
// With special tokens whose ids follow those of the characters.
TokenizerPtr character_tokenizer(std::vector<char32_t> characters, std::map<std::string, int32_t, std::less<>> specials,
                                 const std::string& end_of_text);

struct BpeOptions {
  int64_t vocabulary = 1024;  // ids in all: special tokens, the 256 bytes, merges
  std::vector<std::string> specials = {std::string(end_of_text_name)};
};

// Learns a byte-level BPE: add() any number of times, then train(). The result depends on the words and their counts
// alone, not on the order or the size of the pieces, given that pieces end between words. Where the text has too few
// different pairs the vocabulary comes out smaller than asked. train() throws Interrupted when one has come.
class BpeTrainer {
 public:
  explicit BpeTrainer(BpeOptions options);
  ~BpeTrainer();
  void add(std::string_view text);
  TokenizerPtr train() const;

 private:
  struct Words;
  BpeOptions options_;
  std::unique_ptr<Words> words_;
};
TokenizerPtr train_bpe(std::string_view text, const BpeOptions& options);

// From a tokenizer.json or the folder that holds one: what is saved here, and any byte-level BPE, such as those of
// GPT-2, Pythia, Llama 3, Qwen and OLMo 2, and BPE on characters as Llama 1 and 2, Mistral and Gemma have it. Ids are
// those without the tokens that a post-processor adds. A token for images that has none of the `embeddings` of the
// model is left out.
TokenizerPtr load_tokenizer(const std::filesystem::path& file_or_folder, int64_t embeddings = INT64_MAX);
// `config`: of tokenizer_config.json, or null
TokenizerPtr tokenizer_from_json(const nlohmann::json& json, const std::string& where,
                                 const nlohmann::json& config = {});
// Writes tokenizer.json and tokenizer_config.json.
void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& folder);

// Text that arrives id by id: push() answers what can be shown, and holds back a character until its last byte came.
class TextStream {
 public:
  explicit TextStream(TokenizerPtr tokenizer) : tokenizer_(std::move(tokenizer)) {}
  std::string push(int32_t id);
  // What is left; an incomplete character becomes U+FFFD.
  std::string finish();

 private:
  TokenizerPtr tokenizer_;
  std::string held_;
};

}  // namespace rgm
