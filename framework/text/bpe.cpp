// bpe.cpp - byte-level BPE: text to ids by merging, the lowest rank first, inside words; words are remembered.
#include "text/bpe.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <unordered_map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "text/byte_alphabet.hpp"
#include "text/merges.hpp"
#include "text/tokenizer_json.hpp"
#include "text/word_splitter.hpp"

namespace rgm {
namespace {

struct Hash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// Words seen before and their ids. Words longer than this are rare and not worth the room.
constexpr size_t longest_remembered = 64, most_remembered = 1 << 17;
struct Memory {
  explicit Memory(const std::string& pattern) : splitter(pattern) {}
  WordSplitter splitter;
  std::unordered_map<std::string, std::vector<int32_t>, Hash, std::equal_to<>> words;
};

// `text` itself where it is ASCII, or no text at all; else its composed form, which lies in `room`.
std::string_view composed_form(std::string_view text, std::string& room) {
  if (std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; }) || invalid_utf8(text))
    return text;
  utf8proc_uint8_t* out = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &out, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (size < 0) failure("tokenizer: a text cannot be composed: {}", utf8proc_errmsg(size));
  room.assign(reinterpret_cast<const char*>(out), static_cast<size_t>(size));
  std::free(out);
  return room;
}

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(BpeTable table, const std::string& where)
      : Tokenizer(table.specials, table.end_of_text), table_(std::move(table)), memory_(table_.pattern) {
    auto& ids = ids_;
    for (size_t i = 0; i < table_.pieces.size(); ++i)
      if (!is_special(i)) ids.emplace(table_.pieces[i], static_cast<int32_t>(i));
    const auto id_of = [&](const std::string& piece) {
      const auto found = ids.find(piece);
      if (found == ids.end())
        invalid("{}: the merges need the piece \"{}\", which has no id", where, to_byte_characters(piece));
      return found->second;
    };
    for (size_t b = 0; b < 256; ++b) {
      const auto found = ids.find(std::string(1, static_cast<char>(b)));
      byte_ids_[b] = found == ids.end() ? -1 : found->second;
    }
    for (const auto& [name, id] : specials()) {
      std::string composed;
      const bool is_late = table_.normalized.contains(name);
      (is_late ? late_ : early_)[std::string(is_late && table_.nfc ? composed_form(name, composed) : name)] = id;
    }
    spaced_names_ = std::ranges::any_of(
        specials(), [](const auto& one) { return one.first.find_first_of(" \t\n\v\f\r", 1) != std::string::npos; });
    merges_.reserve(table_.merges.size());
    for (const auto& [left, right] : table_.merges) merges_.add(id_of(left), id_of(right), id_of(left + right));
  }

  std::string kind() const override { return "bpe"; }
  int64_t vocabulary() const override { return static_cast<int64_t>(table_.pieces.size()); }
  std::vector<std::string> pieces() const override { return table_.pieces; }

  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> out;
    out.reserve(text.size() / 3 + 4);
    std::unique_lock lock(mutex_, std::try_to_lock);
    std::unique_ptr<Memory> own;  // another thread is encoding: it does not wait, it remembers for itself
    if (!lock) own = std::make_unique<Memory>(table_.pattern);
    Memory& memory = own ? *own : memory_;
    const auto word = [&](std::string_view w) { encode_word(w, memory, out); };
    const auto add = [&](int32_t id) { out.push_back(id); };
    const auto words = [&](std::string_view plain, size_t) {
      if (table_.split_words)
        memory.splitter.split(plain, word);
      else
        word(plain);
    };
    split_specials(
        text, early_,
        [&](std::string_view plain, size_t) {
          std::string composed;
          split_specials(table_.nfc ? composed_form(plain, composed) : plain, late_, words, add);
        },
        add);
    return out;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string out;
    for (const int32_t id : ids) {
      require(id >= 0 && id < vocabulary(), "tokenizer: id {} is outside the vocabulary of {}", id, vocabulary());
      out += table_.pieces[static_cast<size_t>(id)];
    }
    return out;
  }

  size_t stable_prefix(std::string_view text) const override {
    if (!table_.split_words) return 0;
    size_t end = before_unfinished_special(text, specials());
    for (;;) {
      const size_t n = end_of_stable_words(text.substr(0, end), table_.pattern);
      end = spaced_names_ ? outside_special(text, n, specials()) : n;
      if (end == n) return n;
    }
  }

  nlohmann::json config_json() const override {
    return table_.config.is_object() ? table_.config : Tokenizer::config_json();
  }

  nlohmann::json to_json() const override {
    if (table_.source.is_object()) return table_.source;
    nlohmann::json vocabulary = nlohmann::json::object();
    for (size_t i = 0; i < table_.pieces.size(); ++i) {
      const std::string& piece = table_.pieces[i];
      if (!piece.empty()) vocabulary[is_special(i) ? piece : to_byte_characters(piece)] = i;
    }
    std::vector<std::string> merges;
    for (const auto& [left, right] : table_.merges)
      merges.push_back(to_byte_characters(left) + ' ' + to_byte_characters(right));
    auto out = tokenizer_json(std::move(vocabulary), merges, specials());
    out["pre_tokenizer"] = byte_level_json(table_.split_words);
    out["decoder"] = byte_level_json(true);
    return out;
  }

 private:
  // By its id: GPT-NeoX has an added token of two spaces, and a piece of two.
  bool is_special(size_t id) const {
    const auto found = specials().find(table_.pieces[id]);
    return found != specials().end() && static_cast<size_t>(found->second) == id;
  }

  void encode_word(std::string_view word, Memory& memory, std::vector<int32_t>& out) const {
    if (const auto known = memory.words.find(word); known != memory.words.end()) {
      out.insert(out.end(), known->second.begin(), known->second.end());
      return;
    }
    const size_t before = out.size();
    const auto whole = table_.whole_words ? ids_.find(word) : ids_.end();
    if (whole != ids_.end())
      out.push_back(whole->second);
    else
      merge_word(word, out);
    if (word.size() > longest_remembered) return;
    if (memory.words.size() >= most_remembered) memory.words.clear();
    memory.words.emplace(word, std::vector<int32_t>(out.begin() + static_cast<std::ptrdiff_t>(before), out.end()));
  }

  void merge_word(std::string_view word, std::vector<int32_t>& out) const {
    std::vector<int32_t> symbols;
    for (const char c : word) {
      const auto byte = static_cast<unsigned char>(c);
      symbols.push_back(byte_ids_[byte]);
      require(symbols.back() >= 0, "tokenizer: the byte 0x{:02X} has no id in this vocabulary", byte);
    }
    merges_.merge(symbols, out);
  }

  BpeTable table_;
  SpecialTokens early_, late_;                         // found before the text is composed, and after
  bool spaced_names_ = false;                          // of special tokens: a word may end in the middle of one
  std::unordered_map<std::string_view, int32_t> ids_;  // of pieces in the table
  std::array<int32_t, 256> byte_ids_{};
  Merges merges_;
  mutable std::mutex mutex_;
  mutable Memory memory_;
};

}  // namespace

TokenizerPtr bpe_tokenizer(BpeTable table, const std::string& where) {
  return std::make_shared<BpeTokenizer>(std::move(table), where);
}

}  // namespace rgm
