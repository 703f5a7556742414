// tokenizer_json.cpp - tokenizer.json read and written. What is read: the three kinds made here, and byte-level BPE
// with GPT-2's pattern of words or another; anything else is refused by name, because ids that are nearly right are
// worse than none.
#include "text/tokenizer_json.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "text/bpe.hpp"
#include "text/byte_alphabet.hpp"
#include "text/chat.hpp"
#include "text/pieces.hpp"
#include "text/sentence_piece.hpp"
#include "text/tokenizer.hpp"

namespace rgm {

using nlohmann::json;

json tokenizer_json(json vocabulary, const std::vector<std::string>& merges, const SpecialTokens& specials) {
  std::vector<std::pair<int32_t, std::string>> by_id;
  for (const auto& [name, id] : specials) by_id.emplace_back(id, name);
  std::ranges::sort(by_id);
  json added = json::array();
  for (const auto& [id, name] : by_id)
    added.push_back({{"id", id},
                     {"content", name},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added)},
          {"normalizer", nullptr},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"decoder", nullptr},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"vocab", std::move(vocabulary)},
            {"merges", merges}}}};
}

json byte_level_json(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

namespace {

class Reader {
 public:
  Reader(const json& file, std::string where, const json& config)
      : file_(file), config_(config), where_(std::move(where)) {}

  TokenizerPtr read() {
    if (!file_.is_object() || !file_.contains("model")) unsupported("there is no \"model\"");
    const json& model = file_.at("model");
    // Files older than the key "type" are told by their merges.
    const std::string type = model.value("type", model.contains("merges") ? "BPE" : "none");
    if (type != "BPE") unsupported("model \"{}\", only BPE is known", type);
    const bool characters_or_bytes = model.value("byte_fallback", false);
    if (!characters_or_bytes) read_normalizer(), read_pre_tokenizer();
    for (const json& step : steps("post_processor"))
      if (step.value("type", "") != "ByteLevel" && step.value("type", "") != "TemplateProcessing")
        unsupported("post-processor \"{}\"", step.value("type", "unnamed"));
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix", "unk_token"})
      if (model.contains(key) && model[key].is_string() && model[key] != "" &&
          !(std::string_view(key) == "unk_token" && (byte_level_ || characters_or_bytes)))
        unsupported("model.{}", key);
    table_.whole_words = model.value("ignore_merges", false);
    if (model.contains("dropout") && model["dropout"].is_number() && model["dropout"] != 0)
      unsupported("model.dropout");
    read_specials();
    read_vocabulary(model.at("vocab"));
    check_settings(model.at("vocab"));
    if (characters_or_bytes) return pieces(model);
    if (part("pre_tokenizer") == "" && part("decoder") == "Fuse" && !table_.nfc) return characters(model);
    if (!byte_level_ || part("decoder") != "ByteLevel")
      unsupported("pre-tokenizer \"{}\" with decoder \"{}\", only ByteLevel is known", part("pre_tokenizer"),
                  part("decoder"));
    return bytes_or_bpe(model);
  }

 private:
  template <class... A>
  [[noreturn]] void unsupported(fmt::format_string<A...> text, A&&... args) const {
    invalid("{}: this tokenizer is not supported: {}", where_, fmt::format(text, std::forward<A>(args)...));
  }

  std::string part(const char* key) const {
    return file_.contains(key) && file_[key].is_object() ? file_[key].value("type", "unnamed") : "";
  }

  // The steps of a sequence, or the one that there is.
  json steps(const char* key, const char* members = "processors") const {
    if (part(key).empty()) return json::array();
    return part(key) == "Sequence" ? file_[key].at(members) : json::array({file_[key]});
  }

  void read_normalizer() {
    for (const json& step : steps("normalizer", "normalizers")) {
      if (step.value("type", "") != "NFC") unsupported("normalizer \"{}\"", step.value("type", "unnamed"));
      table_.nfc = true;
    }
  }

  // ByteLevel with GPT-2's pattern or without any, or a pattern in front of it.
  void read_pre_tokenizer() {
    bool last = false;
    for (const json& step : steps("pre_tokenizer", "pretokenizers")) {
      const std::string type = step.value("type", "unnamed");
      if (last || (type != "Split" && type != "ByteLevel")) unsupported("pre-tokenizer \"{}\"", type);
      last = byte_level_ = type == "ByteLevel";
      if (last) {
        if (step.value("add_prefix_space", true)) unsupported("pre_tokenizer.add_prefix_space");
        const bool words = step.value("use_regex", true);
        if (words && !table_.pattern.empty()) unsupported("a pattern of words in front of GPT-2's");
        table_.split_words = words || !table_.pattern.empty();
        continue;
      }
      const json& pattern = step.at("pattern");
      if (!table_.pattern.empty() || !pattern.contains("Regex") || step.value("behavior", "") != "Isolated" ||
          step.value("invert", false))
        unsupported("the pre-tokenizer {}", step.dump());
      table_.pattern = pattern["Regex"];
    }
  }

  void read_specials() {
    if (!file_.contains("added_tokens")) return;
    for (const json& token : file_["added_tokens"]) {
      const std::string name = token.at("content");
      for (const char* key : {"single_word", "lstrip", "rstrip"})
        if (token.value(key, false)) unsupported("{} of the added token \"{}\"", key, name);
      if (name.empty()) unsupported("an added token without a name");
      specials_[name] = static_cast<int32_t>(id_of(name, token.at("id")));
      if (token.value("normalized", false)) normalized_.insert(name);
    }
  }

  size_t id_of(const std::string& piece, const json& id) const {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > 1 << 24)
      unsupported("the id {} of the piece \"{}\"", id.dump(), piece);
    return id.get<size_t>();
  }

  void read_vocabulary(const json& vocabulary) {
    std::vector<std::pair<size_t, std::string>> all;
    for (const auto& [piece, id] : vocabulary.items())
      if (!specials_.contains(piece)) all.emplace_back(id_of(piece, id), piece);
    for (const auto& [name, id] : specials_) all.emplace_back(static_cast<size_t>(id), name);
    std::ranges::sort(all);
    if (all.empty()) unsupported("a vocabulary without pieces");
    if (all.back().first >= 2 * all.size()) unsupported("ids with large gaps (the last is {})", all.back().first);
    pieces_.resize(all.back().first + 1);
    for (size_t i = 0; i < all.size(); ++i) {
      if (i > 0 && all[i].first == all[i - 1].first) unsupported("two pieces with the id {}", all[i].first);
      pieces_[all[i].first] = all[i].second;
    }
  }

  // What tokenizer_config.json alone says would give a text other ids with transformers.
  void check_settings(const json& vocabulary) const {
    if (!config_.is_object()) return;
    for (const char* key : {"added_tokens_decoder", "additional_special_tokens", "extra_special_tokens"})
      for (const json& token : config_.value(key, json())) {
        const std::string name = name_of(token);
        if (!name.empty() && !specials_.contains(name) && !vocabulary.contains(name))
          unsupported(
              "\"{}\" of tokenizer_config.json has the token \"{}\", and this file does not; open the tokenizer with "
              "transformers' AutoTokenizer and call save_pretrained, which writes it here",
              key, name);
      }
    for (const char* role : {"bos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"})
      if (const std::string name = name_of(config_.value(role, json()));
          !name.empty() && !specials_.contains(name) && !vocabulary.contains(name))
        log::warning(
            "{}: the \"{}\" of tokenizer_config.json is \"{}\", which has no id here; transformers gives it a new one, "
            "here it is read as plain text",
            where_, role, name);
    // Classes that make their own pre-tokenizer listen to it; others have that of tokenizer.json.
    const std::string kind = name_of(config_.value("tokenizer_class", json()));
    const bool listens = kind.empty() || kind.starts_with("GPT2Tokenizer") || kind.starts_with("Qwen2Tokenizer");
    const auto prefix = config_.find("add_prefix_space");
    if (byte_level_ && listens && prefix != config_.end() && *prefix == true)
      unsupported("\"add_prefix_space\" of tokenizer_config.json is true, only false is known");
  }

  TokenizerPtr characters(const json& model) const {
    std::vector<char32_t> all;
    for (const std::string& piece : pieces_) {
      if (specials_.contains(piece)) continue;
      const auto points = code_points(piece);
      if (points.size() != 1) unsupported("the piece \"{}\" without a pre-tokenizer", piece);
      all.push_back(points[0]);
    }
    const bool are_last = std::ranges::all_of(
        specials_, [&](const auto& special) { return static_cast<size_t>(special.second) >= all.size(); });
    if (!model.at("merges").empty() || !std::ranges::is_sorted(all) || !normalized_.empty() || all.empty() || !are_last)
      unsupported("a BPE without a pre-tokenizer that is not the characters in order");
    return character_tokenizer(std::move(all), specials_, end_of_text());
  }

  // The bytes with special tokens behind them; nothing where the pieces are others.
  TokenizerPtr bytes() const {
    const std::vector<std::string> own = byte_tokenizer()->pieces(), &all = table_.pieces;
    const bool are_bytes = all.size() >= own.size() && std::equal(own.begin(), own.end(), all.begin()) &&
                           specials_.size() + 256 == all.size();
    if (table_.split_words || !table_.merges.empty() || !normalized_.empty() || !are_bytes) return nullptr;
    return byte_tokenizer(std::span(all).subspan(own.size()), table_.end_of_text);
  }

  // A token of the settings: a name, or an object with one.
  static std::string name_of(const json& token) {
    if (token.is_string()) return token.get<std::string>();
    return token.is_object() ? token.value("content", "") : "";
  }

  // As transformers says which one ends a text.
  std::string end_of_text() const {
    if (!config_.is_object() || !config_.contains("eos_token")) return std::string(end_of_text_name);
    std::string name = name_of(config_["eos_token"]);
    if (specials_.contains(name)) return name;
    if (!name.empty())
      log::warning(
          "{}: the \"eos_token\" of tokenizer_config.json is \"{}\", which is not an added token here: {} ends a text",
          where_, name, specials_.contains(end_of_text_name) ? end_of_text_name : "no token");
    return std::string(end_of_text_name);
  }

  TokenizerPtr bytes_or_bpe(const json& model) {
    BpeTable& table = table_;
    table.specials = specials_, table.normalized = normalized_;
    table.end_of_text = end_of_text();
    table.config = config_;
    // What a plain one has is written anew.
    if (table.nfc || table.whole_words || !table.pattern.empty() || !table.normalized.empty() ||
        !part("post_processor").empty())
      table.source = file_;
    for (const std::string& piece : pieces_) {
      const auto bytes = specials_.contains(piece) ? piece : from_byte_characters(piece);
      if (!bytes) unsupported("the piece \"{}\" is not made of bytes", piece);
      table.pieces.push_back(*bytes);
    }
    for (const json& merge : model.at("merges")) {
      const auto both = pair_of(merge);
      const auto left = from_byte_characters(both.first), right = from_byte_characters(both.second);
      if (!left || !right) unsupported("the merge {}", merge.dump());
      table.merges.emplace_back(*left, *right);
    }
    if (TokenizerPtr of_bytes = bytes()) return of_bytes;
    return bpe_tokenizer(std::move(table), where_);
  }

  TokenizerPtr pieces(const json& model) {
    PieceTable table;
    if (table_.whole_words) unsupported("model.ignore_merges beside byte_fallback");
    table.pieces = pieces_, table.specials = specials_, table.normalized = normalized_;
    table.end_of_text = end_of_text();
    table.source = file_, table.config = config_;
    for (const json& merge : model.at("merges")) table.merges.push_back(pair_of(merge));
    read_piece_rules(file_, where_, table);
    return piece_tokenizer(std::move(table), where_);
  }

  // ["a", "b"], or "a b" in older files
  static std::pair<std::string, std::string> pair_of(const json& merge) {
    if (merge.is_array()) return {merge.at(0).get<std::string>(), merge.at(1).get<std::string>()};
    const auto text = merge.get<std::string>();
    const size_t space = text.find(' ');
    return {text.substr(0, space), space == std::string::npos ? "" : text.substr(space + 1)};
  }

  const json &file_, &config_;
  std::string where_;
  BpeTable table_;
  bool byte_level_ = false;
  SpecialTokens specials_;
  std::set<std::string> normalized_;  // of these
  std::vector<std::string> pieces_;   // as the file writes them
};

}  // namespace

TokenizerPtr tokenizer_from_json(const json& file, const std::string& where, const json& config) {
  try {
    return Reader(file, where, config).read();
  } catch (const json::exception& e) {
    invalid("{}: this is not a tokenizer.json: {}", where, e.what());
  }
}

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

TokenizerPtr load_tokenizer(const fs::path& file_or_folder) {
  const fs::path path = fs::is_directory(file_or_folder) ? file_or_folder / "tokenizer.json" : file_or_folder;
  const fs::path older = path.parent_path() / "tokenizer.model";
  const json config = fs::is_directory(file_or_folder) ? read_settings(file_or_folder) : json();
  const bool is_older = path.extension() == ".model" || (!fs::exists(path) && fs::exists(older));
  const fs::path found = is_older && path.extension() != ".model" ? older : path;
  const std::string content = read_file(found);
  const json file =
      is_older ? json_of_sentence_piece(content, found.string(), config) : parse_json(content, found.string());
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
