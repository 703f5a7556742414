// options.hpp - the options of a component: read from YAML and checked, handed to the plug-in, shown to people.
#pragma once
#include <regimen/abi.h>
#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/problems.hpp"

// The ABI's opaque type: the values of one component, defaults included.
struct rgm_config {
  struct Value {
    nlohmann::ordered_json json;  // null: unset
    bool given = false;           // by the pipeline, not a default
    rgm_value value{};            // points into what follows
    std::string text;
    std::vector<int64_t> integers;
    std::vector<double> reals;
    std::vector<std::string> texts;
    std::vector<rgm_str> views;

    void bind(rgm_type type);  // `value` as the plug-in sees it, from `json` as people do
  };

  const rgm_component* component = nullptr;
  std::map<std::string, Value, std::less<>> values;

  rgm_config() = default;
  rgm_config(const rgm_config&) = delete;
  rgm_config& operator=(const rgm_config&) = delete;
};

namespace rgm {

// All options of a component in their order, with those that the host adds: `sites` to every adapter.
std::vector<rgm_option> options_of(const rgm_component& component);

// Finds the file that an option with RGM_PATH names; throws when there is none.
using PathFinder = std::function<std::string(const std::string&)>;

// The values in `map` (nothing, null or a map), checked, and defaults for the rest. What is wrong goes to `problems`;
// the config is complete even then, so that checking can go on.
std::unique_ptr<rgm_config> read_options(const rgm_component& component, const YAML::Node& map, Problems& problems,
                                         const PathFinder& find = {});

// rgm_host.config_get, without the text of the failure: RGM_INVALID when there is no such option.
rgm_status config_get(const rgm_config* config, const char* key, rgm_value* out);

// What `lora_r` of another tool is called here: `rank`, if that is among the known names. Otherwise empty.
std::string_view name_here(std::string_view elsewhere, std::span<const std::string> known);
// The key of a stage that this is, or is called here: `length` of `max_length`. Otherwise empty.
std::string_view key_of_stage(std::string_view name);

// The effective values, in the order of the options; unset ones are null.
nlohmann::ordered_json to_json(const rgm_config& config);
// One text for equal values, whatever the YAML looked like: for hashes.
std::string canonical(const rgm_config& config);

// "integer", "real", ...
std::string_view type_name(rgm_type type);
inline bool is_list(rgm_type type) { return type >= RGM_INTEGERS; }
std::vector<std::string> choices_of(const rgm_option& option);
nlohmann::ordered_json to_json(const rgm_value& value);
// {key, type, default, min, max, choices, help, required, advanced, deprecated}, those that apply
nlohmann::ordered_json describe(const rgm_option& option);
// "0 to 1", "at least 1"; empty when open
std::string range_text(const rgm_option& option);

}  // namespace rgm
