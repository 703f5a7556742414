// pieces.cpp - BPE on characters: text to ids by merging over whole texts, back by their letters and bytes.
#include "text/pieces.hpp"

#include <array>
#include <unordered_map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "text/merges.hpp"

namespace rgm {
namespace {

constexpr std::string_view space_letter = "\xE2\x96\x81";  // U+2581

std::string with_space_letters(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c == ' ')
      out += space_letter;
    else
      out += c;
  return out;
}

std::string with_spaces(std::string_view piece) {
  std::string out;
  for (size_t i = 0; i < piece.size();) {
    const bool is_space = piece.substr(i).starts_with(space_letter);
    out += is_space ? ' ' : piece[i];
    i += is_space ? space_letter.size() : 1;
  }
  return out;
}

class PieceTokenizer final : public Tokenizer {
 public:
  PieceTokenizer(PieceTable table, const std::string& where)
      : Tokenizer(table.specials, table.end_of_text), table_(std::move(table)), letters_(table_.pieces) {
    for (size_t i = 0; i < table_.pieces.size(); ++i) {
      ids_.emplace(table_.pieces[i], static_cast<int32_t>(i));
      letters_[i] = with_spaces(table_.pieces[i]);  // added tokens too: Gemma's runs of spaces are some
    }
    for (const auto& [name, id] : specials()) {
      const bool is_late = table_.normalized.contains(name);
      (is_late ? late_ : early_)[is_late ? normalized(name) : name] = id;
      if (is_late) letters_[static_cast<size_t>(id)] = with_spaces(normalized(name));
    }
    for (size_t b = 0; b < 256; ++b) {
      byte_ids_[b] = id_of(fmt::format("<0x{:02X}>", b));
      if (byte_ids_[b] >= 0) letters_[static_cast<size_t>(byte_ids_[b])] = std::string(1, static_cast<char>(b));
    }
    unknown_ = table_.unknown.empty() ? -1 : id_of(table_.unknown);
    const auto must_be = [&](const std::string& piece) {
      const int32_t id = id_of(piece);
      require(id >= 0, "{}: the merges need the piece \"{}\", which has no id", where, piece);
      return id;
    };
    merges_.reserve(table_.merges.size());
    for (const auto& [left, right] : table_.merges) merges_.add(must_be(left), must_be(right), must_be(left + right));
  }

  std::string kind() const override { return "bpe"; }
  int64_t vocabulary() const override { return static_cast<int64_t>(table_.pieces.size()); }
  std::vector<std::string> pieces() const override { return letters_; }
  nlohmann::json to_json() const override { return table_.source; }
  nlohmann::json config_json() const override {
    return table_.config.is_object() ? table_.config : Tokenizer::config_json();
  }

  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> out;
    const auto add = [&](int32_t id) { out.push_back(id); };
    split_specials(
        text, early_,
        [&](std::string_view plain, size_t offset) {
          split_specials(
              normalized(plain), late_,
              [&](std::string_view rest, size_t more) { merges_.merge(symbols(in_front(rest, offset + more)), out); },
              add);
        },
        add);
    return out;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string out = decode_on(ids);
    if (table_.strips_space && out.starts_with(' ')) out.erase(0, 1);
    return out;
  }

  std::string decode_on(std::span<const int32_t> ids) const override {
    std::string out;
    for (const int32_t id : ids) {
      require(id >= 0 && id < vocabulary(), "tokenizer: id {} is outside the vocabulary of {}", id, vocabulary());
      out += letters_[static_cast<size_t>(id)];
    }
    return out;
  }

  // Merges may go anywhere, and a second half would have a space in front.
  size_t stable_prefix(std::string_view) const override { return 0; }
  bool puts_space_in_front() const override { return table_.front != PieceTable::Front::nothing; }

 private:
  int32_t id_of(std::string_view piece) const {
    const auto found = ids_.find(piece);
    return found == ids_.end() ? -1 : found->second;
  }

  std::string normalized(std::string_view text) const {
    if (!table_.normalizes) return std::string(text);
    return std::string(table_.front == PieceTable::Front::always ? space_letter : "") + with_space_letters(text);
  }

  std::string in_front(std::string_view plain, size_t offset) const {
    using Front = PieceTable::Front;
    std::string text = with_space_letters(plain);
    const bool unless = !text.starts_with(space_letter);
    if ((table_.front == Front::unless_space && unless) ||
        (table_.front == Front::first_unless_space && unless && offset == 0))
      text.insert(0, space_letter);
    return text;
  }

  // The characters, or their bytes; a byte that is no UTF-8 is one too.
  std::vector<int32_t> symbols(std::string_view text) const {
    std::vector<int32_t> out;
    while (!text.empty()) {
      const auto first = static_cast<unsigned char>(text[0]);
      const size_t length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
      const std::string_view character = text.substr(0, invalid_utf8(text.substr(0, length)) ? 1 : length);
      text.remove_prefix(character.size());
      if (const int32_t id = id_of(character); id >= 0) {
        out.push_back(id);
        continue;
      }
      std::vector<int32_t> bytes;
      for (const char c : character) bytes.push_back(byte_ids_[static_cast<unsigned char>(c)]);
      if (std::ranges::find(bytes, -1) == bytes.end()) {
        out.insert(out.end(), bytes.begin(), bytes.end());
        continue;
      }
      require(unknown_ >= 0,
              "tokenizer: \"{}\" has no piece, nor have its bytes, and there is none for what is unknown", character);
      if (!table_.joins_unknown || out.empty() || out.back() != unknown_) out.push_back(unknown_);
    }
    return out;
  }

  PieceTable table_;
  SpecialTokens early_, late_;                         // found before the text is normalized, and after
  std::vector<std::string> letters_;                   // the bytes of every id
  std::unordered_map<std::string_view, int32_t> ids_;  // of pieces in the table
  std::array<int32_t, 256> byte_ids_{};
  int32_t unknown_ = -1;
  Merges merges_;
};

}  // namespace

TokenizerPtr piece_tokenizer(PieceTable table, const std::string& where) {
  return std::make_shared<PieceTokenizer>(std::move(table), where);
}

}  // namespace rgm
