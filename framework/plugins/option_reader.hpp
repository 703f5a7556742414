// option_reader.hpp - one option's value as the pipeline writes it, checked: type, range, choices.
#pragma once
#include <optional>
#include <string>

#include "plugins/options.hpp"

namespace rgm {

// Nothing when it is wrong, which then was said to `problems`; `owner` begins the message.
std::optional<nlohmann::ordered_json> read_option(const rgm_option& option, const YAML::Node& node,
                                                  const std::string& owner, Problems& problems, const PathFinder& find);

// "a list", "a map", "nothing", or what is written there, in quotes
std::string node_for_people(const YAML::Node& node);

}  // namespace rgm
