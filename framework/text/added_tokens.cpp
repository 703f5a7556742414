// added_tokens.cpp - further special tokens are written into a tokenizer's files, and the tokenizer is read from these
// again: so it is the one that whoever opens the saved files gets.
#include "text/added_tokens.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "text/chat.hpp"
#include "text/tokenizer_json.hpp"

namespace rgm {
namespace {

using nlohmann::json;

// Whether Hugging Face's library gives `id` to the next added token, which has to be so whatever the file says: it
// counts pieces, and goes on from the last added token; its versions differ in whether that may be a piece as well.
bool is_next(const json& file, int64_t id) {
  const json& vocabulary = file.at("model").at("vocab");
  const auto pieces = static_cast<int64_t>(vocabulary.size());
  int64_t last = -1, last_behind = -1;
  for (const json& token : file.at("added_tokens")) {
    const auto own = token.at("id").get<int64_t>();
    last = std::max(last, own);
    if (!vocabulary.contains(token.at("content").get<std::string>())) last_behind = std::max(last_behind, own);
  }
  return std::max(last + 1, pieces) == id && std::max(last_behind + 1, pieces) == id;
}

// As the file writes it, or as text has it: of a byte-level BPE these are "Ġcat" and " cat".
std::optional<int64_t> id_of_piece(const std::string& name, std::span<const std::string> pieces, const json& file) {
  const json& vocabulary = file.at("model").at("vocab");
  if (const auto written = vocabulary.find(name); written != vocabulary.end()) return written->get<int64_t>();
  const auto found = std::ranges::find(pieces, name);
  return found == pieces.end() ? std::nullopt : std::optional<int64_t>(found - pieces.begin());
}

void add_to_file(json& file, const std::string& name, int64_t id, bool is_piece) {
  if (is_piece) file["model"]["vocab"][name] = id;
  json token = added_token_json(name);
  token["id"] = id;
  file["added_tokens"].push_back(std::move(token));
}

// transformers 5 calls the list extra_special_tokens, and reads it under the name of version 4 where that is missing;
// version 4 fails at a list of the newer name.
void add_to_settings(json& config, const std::string& name, int64_t id) {
  if (config.contains("added_tokens_decoder") && config["added_tokens_decoder"].is_object())
    config["added_tokens_decoder"][std::to_string(id)] = added_token_json(name);
  const auto newer = config.find("extra_special_tokens");
  json& list = newer != config.end() && newer->is_array() ? *newer : config["additional_special_tokens"];
  if (!list.is_array()) list = json::array();
  list.push_back(name);
}

}  // namespace

WithTokens with_added_tokens(const TokenizerPtr& tokenizer, std::span<const std::string> names) {
  WithTokens out{tokenizer, {}};
  std::set<std::string_view> seen;
  for (const std::string& name : names) {
    require(!name.empty(), "a token without text cannot be added");
    require(seen.insert(name).second, "the token \"{}\" is given twice", name);
    if (!tokenizer->specials().contains(name)) out.added.push_back(name);
  }
  if (out.added.empty()) return out;

  json file = tokenizer->to_json(), config = tokenizer->config_json();
  const std::vector<std::string> pieces = tokenizer->pieces();
  if (!file.contains("added_tokens") || !file["added_tokens"].is_array()) file["added_tokens"] = json::array();
  int64_t id = tokenizer->vocabulary();
  const bool has_gaps = !is_next(file, id);  // where only a piece of the vocabulary has the id that the file says
  for (const std::string& name : out.added) {
    if (const auto piece = id_of_piece(name, pieces, file))
      invalid(
          "\"{}\" is a piece of this tokenizer already, with the id {}, and text is made of it: choose a name that "
          "stands in no text, such as \"<|{}|>\"",
          name, *piece, name);
    add_to_file(file, name, id, has_gaps);
    add_to_settings(config, name, id++);
  }
  out.tokenizer = tokenizer_from_json(file, "the tokenizer with added tokens", config);
  if (const auto chat = config.find("chat_template"); chat != config.end() && !chat->is_null())
    out.tokenizer = with_chat_template(out.tokenizer, *chat);
  return out;
}

}  // namespace rgm
