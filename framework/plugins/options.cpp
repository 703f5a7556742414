// options.cpp - a component's options as its table has them, and the values of a YAML map for them.
#include "plugins/options.hpp"

#include <algorithm>
#include <cmath>

#include "base/log.hpp"
#include "base/text.hpp"
#include "plugins/check.hpp"
#include "plugins/option_reader.hpp"

namespace rgm {
namespace {

std::string unknown_key(const std::string& key, const std::string& owner, const std::vector<std::string>& known) {
  if (const std::string_view here = name_here(key, known); !here.empty())
    return fmt::format("{}: option \"{}\" is called \"{}\" here", owner, key, here);
  if (const std::string_view of_stage = key_of_stage(key); !of_stage.empty())
    return fmt::format("{}: option \"{}\" is not known: it is \"{}\" of the stage, beside the {}", owner, key, of_stage,
                       owner.substr(0, owner.find(' ')));
  const std::string near = did_you_mean(key, known);
  return fmt::format("{}: option \"{}\" is not known{}", owner, key,
                     !near.empty()   ? near
                     : known.empty() ? "; it has no options"
                                     : "; it has: " + join(known));
}

}  // namespace

std::vector<rgm_option> options_of(const rgm_component& component) {
  std::vector<rgm_option> all;
  for (const rgm_option* const* o = component.options; *o; ++o) all.push_back(**o);
  if (component.kind == RGM_KIND_ADAPTER)
    all.push_back({sizeof(rgm_option),
                   0,
                   "sites",
                   "patterns of the modules it acts on, such as *.attention.query",
                   RGM_TEXTS,
                   0,
                   {},
                   -INFINITY,
                   INFINITY,
                   nullptr});
  return all;
}

std::unique_ptr<rgm_config> read_options(const rgm_component& component, const YAML::Node& map, Problems& problems,
                                         const PathFinder& find) {
  const std::string owner = fmt::format("{} \"{}\"", kind_name(component.kind), component.id);
  auto config = std::make_unique<rgm_config>();
  config->component = &component;
  const std::vector<rgm_option> options = options_of(component);
  std::vector<std::string> known;
  for (const rgm_option& o : options) {
    known.emplace_back(o.key);
    config->values[o.key].json = to_json(o.initial);
  }
  if (component.kind == RGM_KIND_ADAPTER) {
    nlohmann::ordered_json& sites = config->values["sites"].json = nlohmann::ordered_json::array();
    const auto& table = *static_cast<const rgm_adapter*>(component.table);
    for (const char* const* s = table.sites; *s; ++s) sites.push_back(*s);
  }

  const bool nothing = !map.IsDefined() || map.IsNull();
  if (!nothing && !map.IsMap())
    problems.add(map, "{}: its options should be a map, {{key: value}}, got {}", owner, node_for_people(map));
  else if (!nothing)
    for (const auto& item : map) {
      const std::string key = item.first.IsScalar() ? item.first.Scalar() : "";
      const auto o = std::find_if(options.begin(), options.end(), [&](const rgm_option& x) { return key == x.key; });
      if (o == options.end()) {
        problems.add(item.first, unknown_key(key, owner, known));
        continue;
      }
      rgm_config::Value& value = config->values[key];
      if (value.given) {
        problems.add(item.first, "{}: option \"{}\" is given twice", owner, key);
        continue;
      }
      value.given = true;
      if (o->flags & RGM_DEPRECATED)
        log::warning("{}: {}: option \"{}\" is deprecated: {}", problems.place(item.first.Mark()), owner, key, o->help);
      if (auto json = read_option(*o, item.second, owner, problems, find)) value.json = std::move(*json);
    }

  for (const rgm_option& o : options) {
    rgm_config::Value& value = config->values[o.key];
    if ((o.flags & RGM_REQUIRED) && !value.given)
      problems.add(map.IsDefined() ? map.Mark() : YAML::Mark::null_mark(),
                   fmt::format("{}: option \"{}\" must be given: {}", owner, o.key, o.help));
    value.bind(o.type);
  }
  return config;
}

}  // namespace rgm
