// added_tokens.hpp - a tokenizer with further special tokens, as add_special_tokens of transformers makes it.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.hpp"

namespace rgm {

struct WithTokens {
  TokenizerPtr tokenizer;          // the one that was given, where nothing is new to it
  std::vector<std::string> added;  // whose ids follow all others, in this order
};
// Names that are special tokens already stay what they are. RGM_INVALID where one is empty or given twice, or where it
// is a piece that plain text is made of.
WithTokens with_added_tokens(const TokenizerPtr& tokenizer, std::span<const std::string> names);

}  // namespace rgm
