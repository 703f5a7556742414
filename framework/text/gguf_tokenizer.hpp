// gguf_tokenizer.hpp - a tokenizer as GGUF files keep it, from its tokenizer.json.
#pragma once
#include <span>

#include "artefact/gguf.hpp"
#include "text/tokenizer.hpp"

namespace rgm {

// The keys "tokenizer.*". The model has `vocabulary` rows, and `ends` are the tokens that end its texts beside that of
// the tokenizer. RGM_INVALID where llama.cpp would give texts other ids, with what to do.
GgufMetadata gguf_tokenizer(const Tokenizer& tokenizer, int64_t vocabulary, std::span<const int32_t> ends = {});

// Its parts, by the kind of tokenizer; `file` is its tokenizer.json.
struct GgufPieces {
  std::vector<std::string> tokens;  // by id, as that file has them
  std::vector<int32_t> kinds;       // of the enumeration below
};
enum GgufTokenKind : int32_t { gguf_normal = 1, gguf_unknown, gguf_control, gguf_user_defined, gguf_unused, gguf_byte };
// Of BPE on characters: a score for every token, by which llama.cpp merges. Kinds of bytes and of what is unknown are
// set.
void add_gguf_scores(const nlohmann::json& file, GgufPieces& pieces, GgufMetadata& out);

// ["a", "b"], or "a b" in older files
inline std::pair<std::string, std::string> merge_of(const nlohmann::json& merge) {
  if (merge.is_array()) return {merge.at(0).get<std::string>(), merge.at(1).get<std::string>()};
  const auto text = merge.get<std::string>();
  const size_t space = text.find(' ');
  return {text.substr(0, space), space == std::string::npos ? "" : text.substr(space + 1)};
}

}  // namespace rgm
