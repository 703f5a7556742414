// tokenizer_json.hpp - the frame of Hugging Face's tokenizer.json, which every kind of tokenizer fills in.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "text/special_tokens.hpp"

namespace rgm {

// A BPE model with this vocabulary (piece -> id) and these merges ("a b"); no pre-tokenizer and no decoder yet.
nlohmann::json tokenizer_json(nlohmann::json vocabulary, const std::vector<std::string>& merges,
                              const SpecialTokens& specials);
// The ByteLevel pre-tokenizer or decoder; `use_regex` cuts text into words.
nlohmann::json byte_level_json(bool use_regex);

}  // namespace rgm
