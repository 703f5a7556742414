// pieces.hpp - what defines a BPE on characters, as SentencePiece makes them for Llama 1 and 2, Mistral and Gemma: a
// space is the letter U+2581, and characters that have no piece are bytes.
#pragma once
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "text/special_tokens.hpp"
#include "text/tokenizer.hpp"

namespace rgm {

struct PieceTable {
  // Whether a space is put in front of a text that begins there or follows a special token.
  enum class Front { nothing, always, first_unless_space, unless_space };
  std::vector<std::string> pieces;  // UTF-8, "<0x0A>" for a byte; specials by name
  std::vector<std::pair<std::string, std::string>> merges;
  SpecialTokens specials;
  std::set<std::string> normalized;  // of these: looked for behind the others, in the text that is normalized, as it is
  bool normalizes = false;           // spaces are letters before that, and Front::always is put there
  Front front = Front::nothing;
  bool strips_space = false;  // one in front, of what is decoded
  std::string unknown;        // the piece of what has none, empty: none
  bool joins_unknown = false;
  std::string end_of_text = std::string(end_of_text_name);
  nlohmann::json source, config;  // of the folder that it was opened from
};

// Throws RGM_INVALID, beginning with `where`, when a merge names a piece that is not there.
TokenizerPtr piece_tokenizer(PieceTable table, const std::string& where);

// The parts of `table` that tokenizer.json says beside its vocabulary and merges. RGM_INVALID naming what is not known.
void read_piece_rules(const nlohmann::json& file, const std::string& where, PieceTable& table);

}  // namespace rgm
