// tokenizer_json.hpp - the frame of Hugging Face's tokenizer.json, which every kind of tokenizer fills in.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "text/special_tokens.hpp"

namespace rgm {

// A BPE model with this vocabulary (piece -> id) and these merges ("a b"); no pre-tokenizer and no decoder yet.
nlohmann::json tokenizer_json(nlohmann::json vocabulary, const std::vector<std::string>& merges,
                              const SpecialTokens& specials);
// One of its added_tokens, special, which lacks only its id.
nlohmann::json added_token_json(const std::string& name);
// The ByteLevel pre-tokenizer or decoder; `use_regex` cuts text into words.
nlohmann::json byte_level_json(bool use_regex);

// RGM_INVALID for a file that is in order, and has what is not known here.
template <class... A>
[[noreturn]] void not_supported(const std::string& where, fmt::format_string<A...> text, A&&... args) {
  invalid("{}: this tokenizer is not supported: {}", where, fmt::format(text, std::forward<A>(args)...));
}

}  // namespace rgm
