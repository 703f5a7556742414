// yaml_merge.cpp - `<<: *anchor` in a map: its keys stand there too, but for those that the map has itself (YAML 1.1's
// merge key, which the parser leaves to its caller).
#include <algorithm>

#include "pipeline/yaml_text.hpp"

namespace rgm {
namespace {

bool is_merge(const YAML::Node& key) { return key.IsScalar() && key.Scalar() == "<<"; }

bool has(const YAML::Node& map, const std::string& key) {
  return std::any_of(map.begin(), map.end(), [&](const auto& pair) { return pair.first.Scalar() == key; });
}

void take(const YAML::Node& from, YAML::Node& map, const YAML::Node& place, Problems& problems) {
  if (!from.IsMap()) return problems.add(place, "`<<` takes a map or a list of maps, as in `<<: *base`");
  for (const auto& pair : from)
    if (!has(map, pair.first.Scalar())) map.force_insert(pair.first, pair.second);
}

}  // namespace

YAML::Node with_merges(const YAML::Node& node, Problems& problems) {
  if (node.IsSequence()) {
    YAML::Node list = empty_list_at(node.Mark());
    for (const YAML::Node& item : node) list.push_back(with_merges(item, problems));
    return list;
  }
  if (!node.IsMap()) return node;
  YAML::Node map = empty_map_at(node.Mark());
  for (const auto& pair : node)
    if (!is_merge(pair.first)) map.force_insert(pair.first, with_merges(pair.second, problems));
  for (const auto& pair : node) {
    if (!is_merge(pair.first)) continue;
    const YAML::Node from = with_merges(pair.second, problems);
    if (!from.IsSequence())
      take(from, map, pair.first, problems);
    else
      for (const YAML::Node& one : from) take(one, map, pair.first, problems);
  }
  return map;
}

}  // namespace rgm
