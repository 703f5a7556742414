// settings_json.hpp - what tokenizer_config.json says of special tokens, beside the tokenizer.json that has their ids.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "text/special_tokens.hpp"

namespace rgm {

// What the settings alone say would give a text other ids with transformers: RGM_INVALID beginning with `where`.
// `vocabulary` is that of the model; `is_byte_level`: ByteLevel is its pre-tokenizer. Null settings say nothing.
void check_settings(const nlohmann::json& config, const nlohmann::json& vocabulary, const SpecialTokens& specials,
                    bool is_byte_level, const std::string& where);
// Takes the token that stands for an image out of both files where its id is `embeddings` or more: models of Gemma 3
// that read text alone have the tokenizer of those that see, and no embedding of it.
void leave_out_image_token(nlohmann::json& file, nlohmann::json& config, int64_t embeddings);
// The name of the special token that ends a text, as transformers says it.
std::string end_of_text_of(const nlohmann::json& config, const SpecialTokens& specials, const std::string& where);

}  // namespace rgm
