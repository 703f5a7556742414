// settings_json.cpp - the roles of special tokens in tokenizer_config.json: bos_token, eos_token ...
#include "text/settings_json.hpp"

#include "base/log.hpp"
#include "text/tokenizer.hpp"
#include "text/tokenizer_json.hpp"

namespace rgm {
namespace {

using nlohmann::json;

// A token of the settings: a name, or an object with one.
std::string name_of(const json& token) {
  if (token.is_string()) return token.get<std::string>();
  return token.is_object() ? token.value("content", "") : "";
}

}  // namespace

void check_settings(const json& config, const json& vocabulary, const SpecialTokens& specials, bool is_byte_level,
                    const std::string& where) {
  if (!config.is_object()) return;
  for (const char* key : {"added_tokens_decoder", "additional_special_tokens", "extra_special_tokens"})
    for (const json& token : config.value(key, json())) {
      const std::string name = name_of(token);
      if (!name.empty() && !specials.contains(name) && !vocabulary.contains(name))
        not_supported(
            where,
            "\"{}\" of tokenizer_config.json has the token \"{}\", and this file does not; open the tokenizer with "
            "transformers' AutoTokenizer and call save_pretrained, which writes it here",
            key, name);
    }
  for (const char* role : {"bos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"})
    if (const std::string name = name_of(config.value(role, json()));
        !name.empty() && !specials.contains(name) && !vocabulary.contains(name))
      log::warning(
          "{}: the \"{}\" of tokenizer_config.json is \"{}\", which has no id here; transformers gives it a new one, "
          "here it is read as plain text",
          where, role, name);
  // Classes that make their own pre-tokenizer listen to it; others have that of tokenizer.json.
  const std::string kind = name_of(config.value("tokenizer_class", json()));
  const bool listens = kind.empty() || kind.starts_with("GPT2Tokenizer") || kind.starts_with("Qwen2Tokenizer");
  const auto prefix = config.find("add_prefix_space");
  if (is_byte_level && listens && prefix != config.end() && *prefix == true)
    not_supported(where, "\"add_prefix_space\" of tokenizer_config.json is true, only false is known");
}

void leave_out_image_token(json& file, json& config, int64_t embeddings) {
  const auto content = [](const json& token) { return token.is_object() ? token.value("content", json()) : token; };
  const auto in = [&](const json& place) {
    return content(place.is_object() ? place.value("image_token", json()) : json());
  };
  json name = in(config);
  if (!name.is_string() && config.is_object()) name = in(config.value("extra_special_tokens", json()));
  if (!name.is_string() || !file.is_object() || !file.contains("added_tokens")) return;
  const auto erase = [&](json& tokens, int64_t from) {
    size_t erased = 0;
    for (auto i = tokens.begin(); tokens.is_structured() && i != tokens.end();) {
      const json id = i->is_object() ? i->value("id", json(0)) : json(0);
      const bool goes = content(*i) == name && id.is_number_integer() && id >= from;
      i = goes ? (++erased, tokens.erase(i)) : std::next(i);
    }
    return erased;
  };
  if (erase(file["added_tokens"], embeddings) == 0) return;
  for (const char* key : {"added_tokens_decoder", "additional_special_tokens", "extra_special_tokens"})
    if (config.contains(key)) erase(config[key], 0);
  config.erase("image_token");
}

std::string end_of_text_of(const json& config, const SpecialTokens& specials, const std::string& where) {
  if (!config.is_object() || !config.contains("eos_token")) return std::string(end_of_text_name);
  std::string name = name_of(config["eos_token"]);
  if (specials.contains(name)) return name;
  if (!name.empty())
    log::warning(
        "{}: the \"eos_token\" of tokenizer_config.json is \"{}\", which is not an added token here: {} ends a text",
        where, name, specials.contains(end_of_text_name) ? end_of_text_name : "no token");
  return std::string(end_of_text_name);
}

}  // namespace rgm
