// bpe.hpp - what defines a byte-level BPE (Sennrich et al., arXiv 1508.07909; on bytes as in GPT-2).
#pragma once
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
  bool split_words = true;  // by GPT-2's pattern; otherwise the whole text is one word
};

// Throws RGM_INVALID, beginning with `where`, when a merge names a piece that is not there.
TokenizerPtr bpe_tokenizer(BpeTable table, const std::string& where);

}  // namespace rgm
