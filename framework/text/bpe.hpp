// bpe.hpp - what defines a byte-level BPE (Sennrich et al., arXiv 1508.07909; on bytes as in GPT-2).
#pragma once
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "text/special_tokens.hpp"
#include "text/tokenizer.hpp"

namespace rgm {

struct BpeTable {
  std::vector<std::string> pieces;                          // the bytes of every id; specials by name
  std::vector<std::pair<std::string, std::string>> merges;  // the first merges first
  SpecialTokens specials;
  std::set<std::string> normalized = {};  // of these: looked for behind the others, in composed text
  bool split_words = true;                // otherwise the whole text is one word
  std::string pattern = {};               // of words, as tokenizer.json has it; empty: GPT-2's
  bool nfc = false;                       // text is composed first, as Unicode's form C
  bool whole_words = false;               // a word that is a piece is one, whatever its merges
  std::string end_of_text = std::string(end_of_text_name);
  nlohmann::json source = {}, config = {};  // tokenizer.json and tokenizer_config.json that it came from, where saved
                                            // ones shall be these
};

// Throws RGM_INVALID, beginning with `where`, when a merge names a piece that is not there.
TokenizerPtr bpe_tokenizer(BpeTable table, const std::string& where);

}  // namespace rgm
