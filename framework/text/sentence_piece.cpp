// sentence_piece.cpp - the file is a protocol buffer of which three messages are read: pieces with their scores, how it
// was trained, and how text is prepared.
#include "text/sentence_piece.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "text/tokenizer_json.hpp"

namespace rgm {
namespace {

using nlohmann::json;

constexpr const char* visible_space = "\xE2\x96\x81";  // U+2581, a space in a piece
enum Kind : uint64_t { normal = 1, unknown, control, user_defined, unused, byte };

struct Piece {
  std::string text;
  float score = 0;
  uint64_t kind = normal;
};
struct Parsed {
  std::vector<Piece> pieces;
  uint64_t type = 1, byte_fallback = 0, dummy_prefix = 1, extra_white_space = 1, escape = 1, as_suffix = 0;
  std::string rule;
};

// Fields of a message, one after the other: number, and a varint, four bytes or a text.
class Message {
 public:
  Message(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  bool next() {
    if (bytes_.empty()) return false;
    const uint64_t key = varint();
    field = key >> 3, number = 0, text = {};
    switch (key & 7) {
      case 0: number = varint(); break;
      case 1: (void)taken(8); break;
      case 2: text = taken(varint()); break;
      case 5: {
        const std::string_view four = taken(4);
        std::memcpy(&real, four.data(), 4);
        break;
      }
      default: broken();
    }
    return true;
  }

  uint64_t field = 0, number = 0;
  float real = 0;
  std::string_view text;

 private:
  [[noreturn]] void broken() const {
    invalid("{}: this is not a tokenizer.model of SentencePiece, or it is damaged", where_);
  }
  std::string_view taken(uint64_t n) {
    if (n > bytes_.size()) broken();
    const std::string_view out = bytes_.substr(0, n);
    bytes_.remove_prefix(n);
    return out;
  }
  uint64_t varint() {
    uint64_t out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto b = static_cast<unsigned char>(taken(1)[0]);
      out |= uint64_t{b & 0x7FU} << shift;
      if (b < 0x80) return out;
    }
    broken();
  }

  std::string_view bytes_;
  const std::string& where_;
};

Piece piece_of(std::string_view bytes, const std::string& where) {
  Piece out;
  for (Message m(bytes, where); m.next();) {
    if (m.field == 1) out.text = m.text;
    if (m.field == 2) out.score = m.real;
    if (m.field == 3) out.kind = m.number;
  }
  require(!out.text.empty() && !invalid_utf8(out.text) && std::isfinite(out.score),
          "{}: a piece whose text is not UTF-8, or whose score is not a number", where);
  return out;
}

Parsed parsed(std::string_view file, const std::string& where) {
  Parsed out;
  for (Message all(file, where); all.next();) {
    if (all.field == 1) out.pieces.push_back(piece_of(all.text, where));
    if (all.field == 2)
      for (Message m(all.text, where); m.next();) {
        if (m.field == 3) out.type = m.number;
        if (m.field == 24) out.as_suffix = m.number;
        if (m.field == 35) out.byte_fallback = m.number;
      }
    if (all.field == 3)
      for (Message m(all.text, where); m.next();) {
        if (m.field == 1) out.rule = m.text;
        if (m.field == 3) out.dummy_prefix = m.number;
        if (m.field == 4) out.extra_white_space = m.number;
        if (m.field == 5) out.escape = m.number;
      }
  }
  return out;
}

// SentencePiece joins the neighbours whose piece has the best score. As merges in order: every way to make a piece of
// two others, the best score first; of equal ones the longer left part.
json merges_of(const std::vector<Piece>& pieces) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t i = 0; i < pieces.size(); ++i) ids.emplace(pieces[i].text, i);
  struct Merge {
    float score;
    size_t left_size, right_size, left, right;
  };
  std::vector<Merge> all;
  for (const Piece& piece : pieces) {
    if (piece.kind != normal && piece.kind != user_defined) continue;  // Gemma's runs of spaces are the latter
    const size_t first = all.size(), characters = code_points(piece.text).size();
    size_t left_size = 0;
    for (size_t at = 1; at < piece.text.size(); ++at) {
      if ((static_cast<unsigned char>(piece.text[at]) & 0xC0) == 0x80) continue;
      ++left_size;
      const std::string_view text = piece.text;
      const auto left = ids.find(text.substr(0, at)), right = ids.find(text.substr(at));
      if (left != ids.end() && right != ids.end())
        all.push_back({piece.score, left_size, characters - left_size, left->second, right->second});
    }
    std::sort(all.begin() + static_cast<int64_t>(first), all.end(),
              [](const Merge& a, const Merge& b) { return std::pair(a.left, a.right) < std::pair(b.left, b.right); });
  }
  std::ranges::stable_sort(all, [](const Merge& a, const Merge& b) {
    return std::tuple(a.score, a.left_size, a.right_size) > std::tuple(b.score, b.left_size, b.right_size);
  });
  json out = json::array();
  for (const Merge& m : all) out.push_back({pieces[m.left].text, pieces[m.right].text});
  return out;
}

json replace(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

}  // namespace

json json_of_sentence_piece(std::string_view file, const std::string& where, const json& config) {
  const Parsed p = parsed(file, where);
  const auto supported = [&](bool is, const std::string& what) {
    require(is,
            "{}: this SentencePiece model is not supported: {}; open the tokenizer with transformers' AutoTokenizer "
            "and call save_pretrained, which writes tokenizer.json",
            where, what);
  };
  require(!p.pieces.empty(), "{}: there is no piece in it", where);
  supported(p.type == 2, "it is not a BPE model");
  supported(p.byte_fallback != 0, "characters without a piece are not kept as bytes");
  supported(p.rule.empty() || p.rule == "identity", fmt::format("text is changed by the rule \"{}\"", p.rule));
  supported(p.extra_white_space == 0, "it removes white space");
  supported(p.escape != 0 && p.as_suffix == 0, "a space is not part of the word after it");

  json vocabulary = json::object(), added = json::array();
  std::string unknown_piece = "<unk>";
  for (size_t i = 0; i < p.pieces.size(); ++i) {
    const Piece& piece = p.pieces[i];
    require(!vocabulary.contains(piece.text), "{}: the piece \"{}\" is there twice", where, piece.text);
    vocabulary[piece.text] = i;
    if (piece.kind == unknown) unknown_piece = piece.text;
    const bool of_spaces = piece.text.find(visible_space) != std::string::npos;  // text has none: merges make it
    if (piece.kind == unknown || piece.kind == control || (piece.kind == user_defined && !of_spaces)) {
      json token = added_token_json(piece.text);
      token["id"] = i;
      token["special"] = piece.kind != user_defined;
      added.push_back(std::move(token));
    }
  }
  // Tokens that the settings add behind the pieces.
  if (config.is_object() && config.contains("added_tokens_decoder") && config["added_tokens_decoder"].is_object())
    for (const auto& [id, token] : config["added_tokens_decoder"].items()) {
      const bool has_name = token.is_object() && token.contains("content") && token["content"].is_string();
      const std::string name = has_name ? token["content"].get<std::string>() : "";
      if (name.empty() || vocabulary.contains(name) || id.find_first_not_of("0123456789") != id.npos || id.size() > 9)
        continue;
      json one = {{"id", std::stoi(id)}, {"content", name}};
      for (const char* key : {"single_word", "lstrip", "rstrip", "normalized", "special"})
        one[key] = token.contains(key) && token[key] == true;
      added.push_back(std::move(one));
    }

  const bool legacy = !config.is_object() || !config.contains("legacy") || config["legacy"] != false;
  json normalizers = json::array(),
       decoders = json::array({replace(visible_space, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}});
  if (p.dummy_prefix == 0) normalizers.push_back(replace(" ", visible_space));
  if (p.dummy_prefix != 0) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  json pre_tokenizer = nullptr;
  if (p.dummy_prefix != 0)
    pre_tokenizer = {{"type", "Metaspace"},
                     {"replacement", visible_space},
                     {"prepend_scheme", legacy ? "always" : "first"},
                     {"split", false}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", normalizers.empty() ? json() : json{{"type", "Sequence"}, {"normalizers", normalizers}}},
          {"pre_tokenizer", pre_tokenizer},
          {"post_processor", nullptr},
          {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", unknown_piece},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", true},
            {"ignore_merges", false},
            {"vocab", vocabulary},
            {"merges", merges_of(p.pieces)}}}};
}

}  // namespace rgm
