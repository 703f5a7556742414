// pieces_json.cpp - how tokenizer.json says that spaces are letters: by normalizers, or by the pre-tokenizer Metaspace.
#include "text/pieces.hpp"
#include "text/tokenizer_json.hpp"

namespace rgm {
namespace {

using nlohmann::json;

constexpr const char* space_mark = "\xE2\x96\x81";

// The steps of a sequence, or the one that there is.
json steps(const json& file, const char* key, const char* members) {
  if (!file.contains(key) || !file[key].is_object()) return json::array();
  return file[key].value("type", "") == "Sequence" ? file[key].at(members) : json::array({file[key]});
}

[[noreturn]] void unknown_step(const std::string& where, const char* key, const json& step) {
  not_supported(where, "{} {} beside byte_fallback", key, step.dump());
}

bool replaces(const json& step, const char* from, const char* to) {
  return step.value("type", "") == "Replace" && step.at("pattern") == json{{"String", from}} &&
         step.at("content") == to;
}

}  // namespace

void read_piece_rules(const json& file, const std::string& where, PieceTable& table) {
  using Front = PieceTable::Front;
  bool letters = false;
  for (const json& step : steps(file, "normalizer", "normalizers")) {
    if (step.value("type", "") == "Prepend" && step.at("prepend") == space_mark)
      table.front = Front::always;
    else if (replaces(step, " ", space_mark))
      letters = table.normalizes = true;
    else
      unknown_step(where, "normalizer", step);
  }
  for (const json& step : steps(file, "pre_tokenizer", "pretokenizers")) {
    const std::string type = step.value("type", "");
    // Gemma's: there is no space left to split at.
    if (type == "Split" && letters && step.at("pattern") == json{{"String", " "}}) continue;
    if (type != "Metaspace" || step.value("replacement", "") != space_mark || step.value("split", true) ||
        table.front != Front::nothing)
      unknown_step(where, "pre-tokenizer", step);
    const std::string scheme = step.value("prepend_scheme", "always");
    table.front = scheme == "first"    ? Front::first_unless_space
                  : scheme == "always" ? Front::unless_space
                                       : Front::nothing;
    letters = true;
  }
  if (!letters) unknown_step(where, "normalizer", file.value("normalizer", json()));
  for (const json& step : steps(file, "decoder", "decoders")) {
    const std::string type = step.value("type", "");
    if (type == "Strip" && step.at("content") == " " && step.at("start") == 1 && step.at("stop") == 0)
      table.strips_space = true;
    else if (!replaces(step, space_mark, " ") && type != "ByteFallback" && type != "Fuse")
      unknown_step(where, "decoder", step);
  }
  const json& model = file.at("model");
  if (model.contains("unk_token") && model["unk_token"].is_string()) table.unknown = model["unk_token"];
  table.joins_unknown = model.value("fuse_unk", false);
}

}  // namespace rgm
