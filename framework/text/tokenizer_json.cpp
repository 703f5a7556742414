// tokenizer_json.cpp - the frame of tokenizer.json, written.
#include "text/tokenizer_json.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace rgm {

using nlohmann::json;

json added_token_json(const std::string& name) {
  return {{"content", name}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false},  {"special", true}};
}

json tokenizer_json(json vocabulary, const std::vector<std::string>& merges, const SpecialTokens& specials) {
  std::vector<std::pair<int32_t, std::string>> by_id;
  for (const auto& [name, id] : specials) by_id.emplace_back(id, name);
  std::ranges::sort(by_id);
  json added = json::array();
  for (const auto& [id, name] : by_id) added.push_back(added_token_json(name)), added.back()["id"] = id;
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

}  // namespace rgm
