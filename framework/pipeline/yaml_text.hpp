// yaml_text.hpp - from text to a YAML tree that is safe to walk: hostile or broken text becomes a problem with a place,
// and small trees can be made that claim a place of their own.
#pragma once
#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>

#include "plugins/problems.hpp"

namespace rgm {

inline constexpr size_t yaml_most_bytes = 1'000'000;
inline constexpr int yaml_most_depth = 64;
inline constexpr size_t yaml_most_nodes = 100'000;  // with aliases written out

// Nothing but `problems` is filled where the text is not UTF-8, not YAML, too large, nested too deep, grows too large
// through aliases or holds itself, or has several documents; the answer is then an undefined node. Duplicate keys are
// noted too. Lines count from `first_line`, from 0.
YAML::Node parse_yaml(std::string_view text, Problems& problems, int first_line = 0);

// The tree with what its merge keys stand for.
YAML::Node with_merges(const YAML::Node& node, Problems& problems);

// A node of its own, as if it had been read at that place: what is inserted into a tree keeps pointing somewhere.
YAML::Node empty_map_at(const YAML::Mark& place);
YAML::Node empty_list_at(const YAML::Mark& place);
YAML::Node nothing_at(const YAML::Mark& place);

}  // namespace rgm
