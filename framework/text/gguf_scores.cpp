// gguf_scores.cpp - BPE on characters by scores: llama.cpp joins neighbours whose text is a piece, the one with the
// highest score first, where tokenizer.json has merges, the first one first.
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "text/gguf_tokenizer.hpp"
#include "text/pieces.hpp"

namespace rgm {
namespace {

using nlohmann::json;

constexpr std::string_view space_piece = "\xE2\x96\x81";  // U+2581

// By piece: the rank of its first merge, and how many it has.
struct Made {
  int32_t rank = 0;
  size_t merges = 0;
};

bool is_byte_piece(std::string_view piece) { return piece.size() == 6 && piece.starts_with("<0x"); }

[[noreturn]] void not_by_scores(const std::string& why) {
  invalid(
      "its tokenizer merges characters in a way that llama.cpp's scores cannot say: {}; use one that was made by "
      "SentencePiece, or BPE on bytes",
      why);
}

// Each piece has to be made by all pairs of pieces that it can be cut into, and by them one after the other.
std::unordered_map<std::string, Made> made_pieces(const json& file, const std::set<std::string>& added) {
  std::unordered_map<std::string, Made> out;
  std::string before;
  int32_t rank = 0;
  for (const json& merge : file.at("model").at("merges")) {
    const auto [left, right] = merge_of(merge);
    const std::string whole = left + right;
    const auto [at, is_new] = out.try_emplace(whole, Made{rank++, 0});
    if (!is_new && whole != before)
      not_by_scores(fmt::format("\"{}\" is made by merges that others stand between", whole));
    ++at->second.merges;
    before = whole;
  }
  const json& vocabulary = file["model"].at("vocab");
  std::unordered_set<std::string> plain;
  for (const auto& [piece, id] : vocabulary.items())
    if (!added.contains(piece) && !is_byte_piece(piece)) plain.insert(piece);
  for (const std::string& piece : plain) {
    size_t pairs = 0;
    for (size_t n = 1; n < piece.size(); ++n)
      if ((static_cast<unsigned char>(piece[n]) & 0xC0) != 0x80)
        pairs += plain.contains(piece.substr(0, n)) && plain.contains(piece.substr(n));
    const auto found = out.find(piece);
    if (const size_t merges = found == out.end() ? 0 : found->second.merges; merges < pairs)
      not_by_scores(
          fmt::format("\"{}\" can be joined of {} pairs of pieces, and its merges are {}", piece, pairs, merges));
  }
  return out;
}

}  // namespace

void add_gguf_scores(const json& file, GgufPieces& pieces, GgufMetadata& out) {
  PieceTable rules;
  read_piece_rules(file, "tokenizer", rules);
  std::set<std::string> added;
  for (const json& token : file.at("added_tokens")) added.insert(token.at("content").get<std::string>());
  const auto made = made_pieces(file, added);
  std::vector<float> scores;
  for (size_t id = 0; id < pieces.tokens.size(); ++id) {
    std::string& token = pieces.tokens[id];
    int32_t& kind = pieces.kinds[id];
    const auto found = made.find(token);
    scores.push_back(kind == gguf_normal && found != made.end() ? -static_cast<float>(found->second.rank) : -1e9F);
    if (kind == gguf_normal && is_byte_piece(token)) kind = gguf_byte;
    if (token == rules.unknown) kind = gguf_unknown;
    // These are looked for in the text as it is written.
    if (kind == gguf_user_defined)
      for (size_t at = token.find(space_piece); at != token.npos; at = token.find(space_piece))
        token.replace(at, space_piece.size(), " ");
  }
  out.emplace_back("tokenizer.ggml.scores", std::move(scores));
  using Front = PieceTable::Front;
  out.emplace_back("tokenizer.ggml.add_space_prefix", rules.front != Front::nothing);
  if (rules.front == Front::unless_space || rules.front == Front::first_unless_space)
    log::warning(
        "llama.cpp puts a space in front of every text, also of one that begins with a space{}: such texts get other "
        "ids there",
        rules.front == Front::first_unless_space ? " or follows a special token" : "");
}

}  // namespace rgm
