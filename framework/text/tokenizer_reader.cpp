// tokenizer_reader.cpp - tokenizer.json read: the three kinds made here, and byte-level BPE with GPT-2's pattern of
// words or another; anything else is refused by name, because ids that are nearly right are worse than none.
#include <algorithm>
#include <span>

#include "base/error.hpp"
#include "base/text.hpp"
#include "text/bpe.hpp"
#include "text/byte_alphabet.hpp"
#include "text/pieces.hpp"
#include "text/settings_json.hpp"
#include "text/tokenizer.hpp"
#include "text/tokenizer_json.hpp"
#include "text/vocabulary_json.hpp"

namespace rgm {

using nlohmann::json;

namespace {

class Reader {
 public:
  Reader(const json& file, std::string where, const json& config)
      : file_(file), config_(config), where_(std::move(where)) {}

  TokenizerPtr read() {
    if (!file_.is_object() || !file_.contains("model")) not_supported(where_, "there is no \"model\"");
    const json& model = file_.at("model");
    // Files older than the key "type" are told by their merges.
    const std::string type = model.value("type", model.contains("merges") ? "BPE" : "none");
    if (type != "BPE") not_supported(where_, "model \"{}\", only BPE is known", type);
    const bool characters_or_bytes = model.value("byte_fallback", false);
    if (!characters_or_bytes) read_normalizer(), read_pre_tokenizer();
    for (const json& step : steps("post_processor"))
      if (step.value("type", "") != "ByteLevel" && step.value("type", "") != "TemplateProcessing")
        not_supported(where_, "post-processor \"{}\"", step.value("type", "unnamed"));
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix", "unk_token"})
      if (model.contains(key) && model[key].is_string() && model[key] != "" &&
          !(std::string_view(key) == "unk_token" && (byte_level_ || characters_or_bytes)))
        not_supported(where_, "model.{}", key);
    table_.whole_words = model.value("ignore_merges", false);
    if (model.contains("dropout") && model["dropout"].is_number() && model["dropout"] != 0)
      not_supported(where_, "model.dropout");
    vocabulary_ = read_vocabulary(file_, where_);
    check_settings(config_, model.at("vocab"), vocabulary_.specials, byte_level_, where_);
    if (characters_or_bytes) return pieces(model);
    if (part("pre_tokenizer") == "" && part("decoder") == "Fuse" && !table_.nfc) return characters(model);
    if (!byte_level_ || part("decoder") != "ByteLevel")
      not_supported(where_, "pre-tokenizer \"{}\" with decoder \"{}\", only ByteLevel is known", part("pre_tokenizer"),
                    part("decoder"));
    return bytes_or_bpe(model);
  }

 private:
  std::string part(const char* key) const {
    return file_.contains(key) && file_[key].is_object() ? file_[key].value("type", "unnamed") : "";
  }

  std::string end_of_text() const { return end_of_text_of(config_, vocabulary_.specials, where_); }

  // The steps of a sequence, or the one that there is.
  json steps(const char* key, const char* members = "processors") const {
    if (part(key).empty()) return json::array();
    return part(key) == "Sequence" ? file_[key].at(members) : json::array({file_[key]});
  }

  void read_normalizer() {
    for (const json& step : steps("normalizer", "normalizers")) {
      if (step.value("type", "") != "NFC") not_supported(where_, "normalizer \"{}\"", step.value("type", "unnamed"));
      table_.nfc = true;
    }
  }

  // ByteLevel with GPT-2's pattern or without any, or a pattern in front of it.
  void read_pre_tokenizer() {
    bool last = false;
    for (const json& step : steps("pre_tokenizer", "pretokenizers")) {
      const std::string type = step.value("type", "unnamed");
      if (last || (type != "Split" && type != "ByteLevel")) not_supported(where_, "pre-tokenizer \"{}\"", type);
      last = byte_level_ = type == "ByteLevel";
      if (last) {
        if (step.value("add_prefix_space", true)) not_supported(where_, "pre_tokenizer.add_prefix_space");
        const bool words = step.value("use_regex", true);
        if (words && !table_.pattern.empty()) not_supported(where_, "a pattern of words in front of GPT-2's");
        table_.split_words = words || !table_.pattern.empty();
        continue;
      }
      const json& pattern = step.at("pattern");
      if (!table_.pattern.empty() || !pattern.contains("Regex") || step.value("behavior", "") != "Isolated" ||
          step.value("invert", false))
        not_supported(where_, "the pre-tokenizer {}", step.dump());
      table_.pattern = pattern["Regex"];
    }
  }

  TokenizerPtr characters(const json& model) const {
    std::vector<char32_t> all;
    for (const std::string& piece : vocabulary_.pieces) {
      if (vocabulary_.specials.contains(piece)) continue;
      const auto points = code_points(piece);
      if (points.size() != 1) not_supported(where_, "the piece \"{}\" without a pre-tokenizer", piece);
      all.push_back(points[0]);
    }
    const bool are_last = std::ranges::all_of(
        vocabulary_.specials, [&](const auto& special) { return static_cast<size_t>(special.second) >= all.size(); });
    if (!model.at("merges").empty() || !std::ranges::is_sorted(all) || !vocabulary_.normalized.empty() || all.empty() ||
        !are_last)
      not_supported(where_, "a BPE without a pre-tokenizer that is not the characters in order");
    return character_tokenizer(std::move(all), vocabulary_.specials, end_of_text());
  }

  // The bytes with special tokens behind them; nothing where the pieces are others.
  TokenizerPtr bytes() const {
    const std::vector<std::string> own = byte_tokenizer()->pieces(), &all = table_.pieces;
    const bool are_bytes = all.size() >= own.size() && std::equal(own.begin(), own.end(), all.begin()) &&
                           vocabulary_.specials.size() + 256 == all.size();
    if (table_.split_words || !table_.merges.empty() || !vocabulary_.normalized.empty() || !are_bytes) return nullptr;
    return byte_tokenizer(std::span(all).subspan(own.size()), table_.end_of_text);
  }

  TokenizerPtr bytes_or_bpe(const json& model) {
    BpeTable& table = table_;
    table.specials = vocabulary_.specials, table.normalized = vocabulary_.normalized;
    table.end_of_text = end_of_text();
    table.config = config_;
    // What a plain one has is written anew.
    if (table.nfc || table.whole_words || !table.pattern.empty() || !table.normalized.empty() ||
        !part("post_processor").empty())
      table.source = file_;
    for (const std::string& piece : vocabulary_.pieces) {
      const auto bytes = vocabulary_.specials.contains(piece) ? piece : from_byte_characters(piece);
      if (!bytes) not_supported(where_, "the piece \"{}\" is not made of bytes", piece);
      table.pieces.push_back(*bytes);
    }
    for (const json& merge : model.at("merges")) {
      const auto both = pair_of(merge);
      const auto left = from_byte_characters(both.first), right = from_byte_characters(both.second);
      if (!left || !right) not_supported(where_, "the merge {}", merge.dump());
      table.merges.emplace_back(*left, *right);
    }
    if (TokenizerPtr of_bytes = bytes()) return of_bytes;
    return bpe_tokenizer(std::move(table), where_);
  }

  TokenizerPtr pieces(const json& model) {
    PieceTable table;
    if (table_.whole_words) not_supported(where_, "model.ignore_merges beside byte_fallback");
    table.pieces = vocabulary_.pieces, table.specials = vocabulary_.specials, table.normalized = vocabulary_.normalized;
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
  Vocabulary vocabulary_;
};

}  // namespace

TokenizerPtr tokenizer_from_json(const json& file, const std::string& where, const json& config) {
  try {
    return Reader(file, where, config).read();
  } catch (const json::exception& e) {
    invalid("{}: this is not a tokenizer.json: {}", where, e.what());
  }
}

}  // namespace rgm
