// vocabulary_json.hpp - the pieces of a tokenizer.json, and which of them are special tokens.
#pragma once
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "text/special_tokens.hpp"

namespace rgm {

struct Vocabulary {
  std::vector<std::string> pieces;  // by id, as the file writes them
  SpecialTokens specials;
  std::set<std::string> normalized;  // of these: looked for behind the others, in text that is normalized
};

// RGM_INVALID beginning with `where`.
Vocabulary read_vocabulary(const nlohmann::json& file, const std::string& where);

}  // namespace rgm
