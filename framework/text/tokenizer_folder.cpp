// tokenizer_folder.cpp - the files of a folder that make a tokenizer: tokenizer.json or an older tokenizer.model, the
// settings, the chat template.
#include "base/file.hpp"
#include "base/json.hpp"
#include "text/chat.hpp"
#include "text/sentence_piece.hpp"
#include "text/settings_json.hpp"
#include "text/tokenizer.hpp"

namespace rgm {

using nlohmann::json;

namespace {

// tokenizer_config.json of a folder; what it leaves out of special tokens, older folders have in a file of its own.
json read_settings(const fs::path& folder) {
  const fs::path file = folder / "tokenizer_config.json", older = folder / "special_tokens_map.json";
  json config = fs::exists(file) ? parse_json(read_file(file), file.string()) : json();
  if (!fs::exists(older) || (config.is_object() && config.contains("added_tokens_decoder"))) return config;
  const json map = parse_json(read_file(older), older.string());
  require(map.is_object(), "{}: not a JSON object", older.string());
  if (!config.is_object())
    config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  for (const auto& [role, token] : map.items())
    if (!config.contains(role)) config[role] = token;
  return config;
}

}  // namespace

TokenizerPtr load_tokenizer(const fs::path& file_or_folder, int64_t embeddings) {
  const fs::path path = fs::is_directory(file_or_folder) ? file_or_folder / "tokenizer.json" : file_or_folder;
  const fs::path older = path.parent_path() / "tokenizer.model";
  json config = fs::is_directory(file_or_folder) ? read_settings(file_or_folder) : json();
  const bool is_older = path.extension() == ".model" || (!fs::exists(path) && fs::exists(older));
  const fs::path found = is_older && path.extension() != ".model" ? older : path;
  const std::string content = read_file(found);
  json file = is_older ? json_of_sentence_piece(content, found.string(), config) : parse_json(content, found.string());
  leave_out_image_token(file, config, embeddings);
  const TokenizerPtr out = tokenizer_from_json(file, found.string(), config);
  // As newer versions of transformers write it; older ones have it in the file of settings, or several with names.
  const fs::path jinja = path.parent_path() / chat_template_file;
  json chat = config.is_object() ? config.value("chat_template", json()) : json();
  if (fs::is_directory(file_or_folder) && fs::exists(jinja)) chat = read_file(jinja);
  return chat.is_string() || chat.is_array() ? with_chat_template(out, chat) : out;
}

void save_tokenizer(const Tokenizer& tokenizer, const fs::path& folder) {
  fs::create_directories(folder);
  write_file(folder / "tokenizer.json", tokenizer.to_json().dump(2) + "\n");
  write_file(folder / "tokenizer_config.json", tokenizer.config_json().dump(2) + "\n");
}

}  // namespace rgm
