// pieces.cpp - BPE on characters: text to ids by merging over whole texts, back by their letters and bytes.
#include "text/pieces.hpp"

#include <array>
#include <unordered_map>
#include <unordered_set>

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
    for (const auto& [left, right] : table_.merges) {
      merges_.add(must_be(left), must_be(right), must_be(left + right));
      require(!left.empty() && !right.empty(), "{}: the piece \"{}\" is merged with nothing", where, left + right);
      joined_.insert(Merges::pair_of(symbol(last_character(left), true), symbol(first_character(right), false)));
      // Made of a byte's piece, a symbol would not be the character that its text ends with.
      if (is_byte(left) || is_byte(right)) has_runs_ = false;
    }
    if (table_.joins_unknown) joined_.insert(Merges::pair_of(unknown_, unknown_));
  }

  std::string kind() const override { return "bpe"; }
  int64_t vocabulary() const override { return static_cast<int64_t>(table_.pieces.size()); }
  std::vector<std::string> pieces() const override { return letters_; }
  nlohmann::json to_json() const override { return table_.source; }
  nlohmann::json config_json() const override {
    return table_.config.is_object() ? table_.config : Tokenizer::config_json();
  }

  std::vector<int32_t> encode(std::string_view text) const override { return encoded(text, false); }
  std::vector<int32_t> encode_on(std::string_view text) const override { return encoded(text, true); }

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

  // Between two characters that no merge brings together, neither of them of a special token.
  size_t stable_prefix(std::string_view text) const override {
    if (!late_.empty() || !has_runs_) return 0;
    const size_t known = before_unfinished_special(text, early_);
    std::vector<std::pair<size_t, size_t>> plain;
    split_specials(
        text, early_, [&](std::string_view one, size_t at) { plain.emplace_back(at, at + one.size()); },
        [](int32_t) {});
    for (; !plain.empty(); plain.pop_back()) {
      const auto& [begin, end] = plain.back();
      for (size_t n = std::min(end - 1, known); n > begin; --n)
        if (are_apart(last_character(text.substr(begin, n - begin)), first_character(text.substr(n, end - n))))
          return n;
    }
    return 0;
  }
  bool puts_space_in_front() const override { return table_.front != PieceTable::Front::nothing; }

 private:
  int32_t id_of(std::string_view piece) const {
    const auto found = ids_.find(piece);
    return found == ids_.end() ? -1 : found->second;
  }

  // One of UTF-8, or a byte that is none.
  static std::string_view first_character(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const size_t length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    return text.substr(0, invalid_utf8(text.substr(0, length)) ? 1 : length);
  }
  static std::string_view last_character(std::string_view text) {
    for (size_t n = 2; n <= std::min<size_t>(text.size(), 4); ++n)
      if (const auto back = text.substr(text.size() - n); first_character(back).size() == n) return back;
    return text.substr(text.size() - 1);
  }

  // What merging begins with at one end of a character.
  int32_t symbol(std::string_view character, bool last) const {
    const int32_t id = id_of(character == " " ? space_letter : character);
    const int32_t byte = byte_ids_[static_cast<unsigned char>(last ? character.back() : character.front())];
    return id >= 0 ? id : byte >= 0 ? byte : unknown_;
  }
  static bool is_byte(std::string_view piece) { return piece.size() == 6 && piece.starts_with("<0x"); }
  bool are_apart(std::string_view left, std::string_view right) const {
    return !invalid_utf8(left) && !invalid_utf8(right) &&
           !joined_.contains(Merges::pair_of(symbol(left, true), symbol(right, false)));
  }

  // `goes_on`: text stands in front of it, which has been encoded.
  std::vector<int32_t> encoded(std::string_view text, bool goes_on) const {
    std::vector<int32_t> out;
    const auto add = [&](int32_t id) { out.push_back(id); };
    split_specials(
        text, early_,
        [&](std::string_view plain, size_t offset) {
          const bool continues = goes_on && offset == 0;  // what nothing is put in front of
          split_specials(
              normalized(plain, !continues), late_,
              [&](std::string_view rest, size_t more) {
                const bool is_first = !goes_on && offset + more == 0;
                merge(symbols(continues && more == 0 ? with_space_letters(rest) : in_front(rest, is_first)), out);
              },
              add);
        },
        add);
    return out;
  }

  // Run by run of those that may become one.
  void merge(std::span<const int32_t> ids, std::vector<int32_t>& out) const {
    if (!has_runs_) return merges_.merge(ids, out);
    for (size_t begin = 0, end = 1; begin < ids.size(); begin = end++) {
      while (end < ids.size() && joined_.contains(Merges::pair_of(ids[end - 1], ids[end]))) ++end;
      merges_.merge(ids.subspan(begin, end - begin), out);
    }
  }

  std::string normalized(std::string_view text, bool with_front = true) const {
    if (!table_.normalizes) return std::string(text);
    const bool has_front = with_front && table_.front == PieceTable::Front::always;
    return std::string(has_front ? space_letter : "") + with_space_letters(text);
  }

  std::string in_front(std::string_view plain, bool is_first) const {
    using Front = PieceTable::Front;
    std::string text = with_space_letters(plain);
    const bool unless = !text.starts_with(space_letter);
    if ((table_.front == Front::unless_space && unless) ||
        (table_.front == Front::first_unless_space && unless && is_first))
      text.insert(0, space_letter);
    return text;
  }

  // The characters, or their bytes; a byte that is no UTF-8 is one too.
  std::vector<int32_t> symbols(std::string_view text) const {
    std::vector<int32_t> out;
    while (!text.empty()) {
      const std::string_view character = first_character(text);
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
              "tokenizer: neither {} nor its bytes have a piece, and there is no piece for what is unknown",
              character_for_people(code_points(character)[0]));
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
  std::unordered_set<uint64_t> joined_;  // the symbols at either side of where a merge joins
  bool has_runs_ = true;
};

}  // namespace

TokenizerPtr piece_tokenizer(PieceTable table, const std::string& where) {
  return std::make_shared<PieceTokenizer>(std::move(table), where);
}

}  // namespace rgm
