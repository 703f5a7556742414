// vocabulary_json.cpp - each id is of one piece, of the model or added to it.
#include "text/vocabulary_json.hpp"

#include <algorithm>
#include <utility>

#include "text/tokenizer_json.hpp"

namespace rgm {
namespace {

using nlohmann::json;

size_t id_of(const std::string& piece, const json& id, const std::string& where) {
  if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > 1 << 24)
    not_supported(where, "the id {} of the piece \"{}\"", id.dump(), piece);
  return id.get<size_t>();
}

void read_specials(const json& file, const std::string& where, Vocabulary& to) {
  if (!file.contains("added_tokens")) return;
  for (const json& token : file["added_tokens"]) {
    const std::string name = token.at("content");
    for (const char* key : {"single_word", "lstrip", "rstrip"})
      if (token.value(key, false)) not_supported(where, "{} of the added token \"{}\"", key, name);
    if (name.empty()) not_supported(where, "an added token without a name");
    to.specials[name] = static_cast<int32_t>(id_of(name, token.at("id"), where));
    if (token.value("normalized", false)) to.normalized.insert(name);
  }
}

void read_pieces(const json& vocabulary, const std::string& where, Vocabulary& to) {
  std::vector<std::pair<size_t, std::string>> all;
  for (const auto& [piece, id] : vocabulary.items())
    if (!to.specials.contains(piece)) all.emplace_back(id_of(piece, id, where), piece);
  for (const auto& [name, id] : to.specials) all.emplace_back(static_cast<size_t>(id), name);
  std::ranges::sort(all);
  if (all.empty()) not_supported(where, "a vocabulary without pieces");
  if (all.back().first >= 2 * all.size())
    not_supported(where, "ids with large gaps (the last is {})", all.back().first);
  to.pieces.resize(all.back().first + 1);
  for (size_t i = 0; i < all.size(); ++i) {
    if (i > 0 && all[i].first == all[i - 1].first) not_supported(where, "two pieces with the id {}", all[i].first);
    to.pieces[all[i].first] = all[i].second;
  }
}

}  // namespace

Vocabulary read_vocabulary(const json& file, const std::string& where) {
  Vocabulary out;
  read_specials(file, where, out);
  read_pieces(file.at("model").at("vocab"), where, out);
  return out;
}

}  // namespace rgm
