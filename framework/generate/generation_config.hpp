// generation_config.hpp - how a model's authors want its text sampled: its generation_config.json, whose members are
// taken as transformers takes them. max_new_tokens is max_tokens here; do_sample: false is temperature 0, and true is 1
// where the file has no temperature.
#pragma once
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "generate/generate.hpp"

namespace rgm {

inline constexpr const char* generation_config_file = "generation_config.json";

// Sets what `config` says, but for the settings that are in `given`, by their names here: one of those that are for
// draws outweighs do_sample: false, too. Answers what was set, as text for people; empty: nothing. RGM_INVALID, naming
// `file` and the member, where one that is used is out of range.
std::string take_generation_config(const nlohmann::json& config, const std::string& file,
                                   const std::set<std::string>& given, Sampling& to);

}  // namespace rgm
