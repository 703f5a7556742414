// config.cpp - the values of a component's options: for the plug-in, for people, and as one text for hashes.
#include "plugins/check.hpp"
#include "plugins/options.hpp"

void rgm_config::Value::bind(rgm_type type) {
  value = {};
  if (json.is_null()) return;
  value.type = type;
  value.count = rgm::is_list(type) ? static_cast<uint32_t>(json.size()) : 1;
  switch (type) {
    case RGM_BOOLEAN: value.as.i = json.get<bool>(); break;
    case RGM_INTEGER: value.as.i = json.get<int64_t>(); break;
    case RGM_REAL: value.as.f = json.get<double>(); break;
    case RGM_INTEGERS:
      integers = json.get<std::vector<int64_t>>();
      value.as.is = integers.data();
      break;
    case RGM_REALS:
      reals = json.get<std::vector<double>>();
      value.as.fs = reals.data();
      break;
    case RGM_TEXTS:
      texts = json.get<std::vector<std::string>>();
      views.clear();
      for (const std::string& s : texts) views.push_back({s.data(), s.size()});
      value.as.ss = views.data();
      break;
    default: text = json.get<std::string>(); value.as.s = {text.data(), text.size()};
  }
}

namespace rgm {

rgm_status config_get(const rgm_config* config, const char* key, rgm_value* out) {
  if (!config || !key) return RGM_INVALID;
  const auto found = config->values.find(std::string_view(key));
  if (found == config->values.end()) return RGM_INVALID;
  *out = found->second.value;
  return RGM_OK;
}

nlohmann::ordered_json to_json(const rgm_config& config) {
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  for (const rgm_option& o : options_of(*config.component)) all[o.key] = config.values.find(o.key)->second.json;
  return all;
}

std::string canonical(const rgm_config& config) {
  nlohmann::json sorted = nlohmann::json::object();  // by key, so that a reordered table hashes the same
  for (const auto& [key, value] : config.values) sorted[key] = value.json;
  return nlohmann::json{{"kind", kind_name(config.component->kind)}, {"id", config.component->id}, {"options", sorted}}
      .dump();
}

}  // namespace rgm
