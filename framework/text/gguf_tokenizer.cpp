// gguf_tokenizer.cpp - the three kinds that llama.cpp has of ours: BPE on bytes ("gpt2"), BPE on characters ("llama"),
// and pieces without merges of which the longest is taken ("rwkv").
#include "text/gguf_tokenizer.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "text/byte_alphabet.hpp"
#include "text/word_patterns.hpp"

namespace rgm {
namespace {

using nlohmann::json;

std::string type_of(const json& file, const char* part) {
  return file.contains(part) && file[part].is_object() ? file[part].value("type", "") : "";
}
bool is_on_characters(const json& file) { return file.at("model").value("byte_fallback", false); }
bool is_of_characters(const json& file) { return !is_on_characters(file) && type_of(file, "decoder") == "Fuse"; }

GgufPieces pieces_of(const json& file, int64_t vocabulary) {
  GgufPieces out;
  out.tokens.resize(static_cast<size_t>(vocabulary)), out.kinds.resize(out.tokens.size(), gguf_normal);
  std::set<std::string_view> taken;
  for (const auto& [piece, id] : file.at("model").at("vocab").items()) out.tokens.at(id.get<size_t>()) = piece;
  for (const json& token : file.at("added_tokens")) {
    const auto id = token.at("id").get<size_t>();
    out.tokens.at(id) = token.at("content");
    out.kinds.at(id) = token.value("special", false) ? gguf_control : gguf_user_defined;
  }
  for (const std::string& token : out.tokens) {
    const bool is_new = token.empty() || taken.insert(token).second;
    require(is_new, "two tokens are called \"{}\", which llama.cpp does not open", token);
  }
  // Rows of the model that no text has; a name each, as every token needs one.
  for (size_t id = 0; id < out.tokens.size(); ++id) {
    if (!out.tokens[id].empty()) continue;
    out.kinds[id] = gguf_unused;
    out.tokens[id] = fmt::format("[PAD{}]", id);
    while (taken.contains(out.tokens[id])) out.tokens[id] += '_';
  }
  return out;
}

// What words are cut by, in llama.cpp's words.
std::string pattern_name(const json& file) {
  std::string pattern;
  bool words = false;
  const json steps = type_of(file, "pre_tokenizer") == "Sequence" ? file["pre_tokenizer"].at("pretokenizers")
                                                                  : json::array({file["pre_tokenizer"]});
  for (const json& step : steps) {
    if (step.value("type", "") == "Split") pattern = step.at("pattern").at("Regex");
    if (step.value("type", "") == "ByteLevel") words = step.value("use_regex", true);
  }
  const bool merges = !file.at("model").at("merges").empty(), whole = file["model"].value("ignore_merges", false);
  require(
      words || !pattern.empty() || !merges,
      "its tokenizer merges over whole texts, and llama.cpp only within words: train one that cuts text into words");
  const auto found = std::ranges::find(word_patterns, pattern, &WordPattern::pattern);
  const char* name = found != std::end(word_patterns) ? (whole ? found->gguf_whole : found->gguf)
                     : pattern.empty() && !whole      ? gpt2_words_in_gguf
                                                      : nullptr;
  require(name != nullptr,
          "its tokenizer cuts text into words by the pattern \"{}\"{}, for which GGUF has no name known here: convert "
          "the model's folder with llama.cpp's convert_hf_to_gguf.py, which knows tokenizers by what they do to a text",
          pattern, whole ? " and takes words that are pieces whole" : "");
  return name;
}

std::vector<std::string> normalizers_of(const json& file) {
  std::vector<std::string> out{type_of(file, "normalizer")};
  if (out[0] == "Sequence")
    for (const json& step : file["normalizer"].at("normalizers")) out.push_back(step.value("type", ""));
  return out;
}

// A character of several bytes is merged of them: there is no other way to a piece.
void add_characters(GgufPieces& pieces, std::vector<std::string>& merges) {
  std::set<std::string> known;
  for (size_t id = 0; id < pieces.tokens.size(); ++id) {
    if (pieces.kinds[id] != gguf_normal) continue;
    const std::string bytes = std::exchange(pieces.tokens[id], to_byte_characters(pieces.tokens[id]));
    for (size_t n = 1; n < bytes.size(); ++n) {
      const std::string merge = to_byte_characters(bytes.substr(0, n)) + ' ' + to_byte_characters(bytes.substr(n, 1));
      if (known.insert(merge).second) merges.push_back(merge);
    }
  }
}

// As "rwkv" writes them in text.
std::string escaped(const std::string& piece) {
  if (piece == "\\") return "\\\\";
  if (piece == "\n") return "\\n";
  if (piece == "\r") return "\\r";
  if (piece == "\t") return "\\t";
  return piece;
}

std::string name_of_role(const json& config, const char* role) {
  const json token = config.is_object() ? config.value(role, json()) : json();
  if (token.is_string()) return token;
  return token.is_object() ? token.value("content", "") : "";
}

// Whether transformers puts the token of this role at one end of a text; nothing: its class decides.
std::optional<bool> is_added(const json& file, const json& config, const char* key, const std::string& name,
                             bool in_front) {
  if (name.empty()) return false;
  if (config.is_object() && config.contains(key) && config[key].is_boolean()) return config[key].get<bool>();
  const json steps = type_of(file, "post_processor") == "Sequence" ? file["post_processor"].at("processors")
                     : type_of(file, "post_processor").empty()     ? json::array()
                                                                   : json::array({file["post_processor"]});
  if (steps.empty() && is_on_characters(file)) return std::nullopt;
  for (const json& step : steps) {
    if (step.value("type", "") != "TemplateProcessing" || step.at("single").empty()) continue;
    const json& end = in_front ? step["single"].front() : step["single"].back();
    if (end.contains("SpecialToken")) return end["SpecialToken"].value("id", "") == name;
  }
  return false;
}

void add_roles(const Tokenizer& tokenizer, const json& file, const json& config, std::span<const int32_t> ends,
               const GgufPieces& pieces, GgufMetadata& out) {
  const auto id_of = [&](const char* role) -> std::optional<uint32_t> {
    const std::string name = name_of_role(config, role);
    const auto found = std::ranges::find(pieces.tokens, name);
    if (name.empty() || found == pieces.tokens.end()) return std::nullopt;
    return static_cast<uint32_t>(found - pieces.tokens.begin());
  };
  const auto end = tokenizer.end_of_text();
  const uint32_t eos = static_cast<uint32_t>(end ? *end : ends.front());
  // Where a text has no token to begin with, llama.cpp would take one of its own.
  out.emplace_back("tokenizer.ggml.bos_token_id", id_of("bos_token").value_or(eos));
  out.emplace_back("tokenizer.ggml.eos_token_id", eos);
  for (const int32_t other : ends)
    if (static_cast<uint32_t>(other) != eos && other < std::ssize(pieces.tokens)) {
      out.emplace_back("tokenizer.ggml.eot_token_id", static_cast<uint32_t>(other));
      break;
    }
  if (const auto unknown = id_of("unk_token")) out.emplace_back("tokenizer.ggml.unknown_token_id", *unknown);
  if (const auto pad = id_of("pad_token")) out.emplace_back("tokenizer.ggml.padding_token_id", *pad);
  if (const auto added = is_added(file, config, "add_bos_token", name_of_role(config, "bos_token"), true))
    out.emplace_back("tokenizer.ggml.add_bos_token", *added);
  if (const auto added = is_added(file, config, "add_eos_token", name_of_role(config, "eos_token"), false))
    out.emplace_back("tokenizer.ggml.add_eos_token", *added);
}

// One template, or several with names.
void add_chat(const json& config, GgufMetadata& out) {
  const json chat = config.is_object() ? config.value("chat_template", json()) : json();
  if (chat.is_string()) out.emplace_back("tokenizer.chat_template", chat.get<std::string>());
  if (!chat.is_array()) return;
  std::vector<std::string> names;
  for (const json& one : chat) {
    const auto name = one.at("name").get<std::string>();
    const bool is_default = name == "default";
    if (!is_default) names.push_back(name);
    out.emplace_back(is_default ? "tokenizer.chat_template" : "tokenizer.chat_template." + name,
                     one.at("template").get<std::string>());
  }
  if (!names.empty()) out.emplace_back("tokenizer.chat_templates", names);
}

// Without a token that ends a text: llama.cpp takes the twelfth for it in its other kinds. This one goes round without
// end at a character that begins as one of several bytes does.
GgufMetadata without_end(const json& file, GgufPieces pieces) {
  const bool simple = is_of_characters(file) && std::ranges::all_of(pieces.tokens, [](const std::string& token) {
                        return token.size() == 1 && static_cast<unsigned char>(token[0]) < 0x80;
                      });
  require(simple,
          "its tokenizer has no token that ends a text, and llama.cpp would take another for it: train on from it with "
          "model: {{from: STAGE, add_tokens: [\"{}\"]}}, and export that",
          end_of_text_name);
  for (std::string& token : pieces.tokens) token = escaped(token);
  return {{"tokenizer.ggml.model", "rwkv"},
          {"tokenizer.ggml.tokens", std::move(pieces.tokens)},
          {"tokenizer.ggml.token_type", std::move(pieces.kinds)}};
}

}  // namespace

GgufMetadata gguf_tokenizer(const Tokenizer& tokenizer, int64_t vocabulary, std::span<const int32_t> ends) {
  const json file = tokenizer.to_json(), config = tokenizer.config_json();
  GgufPieces pieces = pieces_of(file, vocabulary);
  if (!tokenizer.end_of_text() && ends.empty()) return without_end(file, std::move(pieces));
  for (const std::string& step : normalizers_of(file))
    if (step == "NFC")
      log::warning(
          "llama.cpp reads a text as it is, where this tokenizer composes characters first: one that is not in form C "
          "of Unicode gets other ids there");
  GgufMetadata out;
  if (is_on_characters(file)) {
    out = {{"tokenizer.ggml.model", "llama"}, {"tokenizer.ggml.pre", "default"}};
    add_gguf_scores(file, pieces, out);
  } else {
    std::vector<std::string> merges;
    if (is_of_characters(file))
      add_characters(pieces, merges);
    else
      for (const json& merge : file.at("model").at("merges")) {
        const auto [left, right] = merge_of(merge);
        merges.push_back(left + ' ' + right);
      }
    out = {{"tokenizer.ggml.model", "gpt2"},
           {"tokenizer.ggml.pre", is_of_characters(file) ? gpt2_words_in_gguf : pattern_name(file)},
           {"tokenizer.ggml.merges", std::move(merges)}};
  }
  add_roles(tokenizer, file, config, ends, pieces, out);
  add_chat(config, out);
  out.emplace_back("tokenizer.ggml.token_type", std::move(pieces.kinds));
  out.emplace_back("tokenizer.ggml.tokens", std::move(pieces.tokens));
  return out;
}

}  // namespace rgm
