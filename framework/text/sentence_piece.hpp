// sentence_piece.hpp - SentencePiece's tokenizer.model (Kudo and Richardson 2018, arXiv 1808.06226) as the
// tokenizer.json that transformers makes of it.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace rgm {

// `file`: the bytes of a tokenizer.model; `config`: of tokenizer_config.json, or null. Of its kinds BPE is known, which
// Llama 1 and 2, Mistral and Gemma have. RGM_INVALID beginning with `where`.
nlohmann::json json_of_sentence_piece(std::string_view file, const std::string& where, const nlohmann::json& config);

}  // namespace rgm
