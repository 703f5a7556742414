// json_schema.hpp - a validator of as much of JSON Schema as our schema uses, and YAML as an editor reads it. An
// unknown keyword is a failure, so that nothing goes unchecked.
#pragma once
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

namespace rgm {

// YAML 1.2's core schema: plain true, null, 1 and 1e-3 are what they look like, all else is a text.
inline nlohmann::json json_of(const YAML::Node& node) {
  nlohmann::json out;
  if (node.IsNull()) return out;
  if (node.IsMap()) {
    out = nlohmann::json::object();
    for (const auto& pair : node)
      if (pair.first.Scalar() != "<<") out[pair.first.Scalar()] = json_of(pair.second);
    for (const auto& pair : node)  // an editor knows merge keys, too
      if (pair.first.Scalar() == "<<") {
        const nlohmann::json merged = json_of(pair.second);
        for (const auto& [key, value] : merged.items())
          if (!out.contains(key)) out[key] = value;
      }
  } else if (node.IsSequence()) {
    out = nlohmann::json::array();
    for (const YAML::Node& one : node) out.push_back(json_of(one));
  } else {
    static const std::regex number(R"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)");
    const std::string text = node.Scalar();
    if (node.Tag() == "!") return text;
    if (text == "true" || text == "false") return text == "true";
    if (!std::regex_match(text, number)) return text;
    const double x = std::stod(text);
    return x == std::floor(x) ? nlohmann::json(static_cast<int64_t>(x)) : nlohmann::json(x);
  }
  return out;
}

class JsonSchema {
 public:
  explicit JsonSchema(nlohmann::json schema) : root_(std::move(schema)) {}
  // "" when it holds; else where the first part lies that does not, and what was wanted there.
  std::string problem(const nlohmann::json& value) const { return check(root_, value, ""); }

 private:
  using Json = nlohmann::json;

  static bool is_type(const std::string& type, const Json& v) {
    if (type == "number") return v.is_number();
    if (type == "integer") return v.is_number_integer();
    if (type == "string") return v.is_string();
    if (type == "boolean") return v.is_boolean();
    if (type == "null") return v.is_null();
    return type == "array" ? v.is_array() : type == "object" && v.is_object();
  }

  std::string check(const Json& schema, const Json& v, const std::string& at) const {
    const auto wrong = [&](const std::string& what) { return at + ": " + what + ", came " + v.dump(); };
    if (schema.is_boolean()) return schema.get<bool>() ? "" : wrong("unknown key");
    for (const auto& [key, wanted] : schema.items()) {
      static const std::set<std::string> silent = {
          "$schema", "$defs", "title", "description", "default", "deprecated", "additionalProperties"};
      if (silent.contains(key)) continue;
      if (key == "$ref") {
        const std::string name = wanted.get<std::string>().substr(std::string("#/$defs/").size());
        if (auto p = check(root_.at("$defs").at(name), v, at); !p.empty()) return p;
      } else if (key == "type") {
        bool any = false;
        for (const Json& one : wanted.is_array() ? wanted : Json::array({wanted})) any |= is_type(one, v);
        if (!any) return wrong("wanted " + wanted.dump());
      } else if (key == "enum") {
        if (std::find(wanted.begin(), wanted.end(), v) == wanted.end()) return wrong("wanted one of " + wanted.dump());
      } else if (key == "const") {
        if (v != wanted) return wrong("wanted " + wanted.dump());
      } else if (key == "anyOf") {
        std::string all;
        bool any = false;
        for (const Json& one : wanted) {
          const std::string p = check(one, v, at);
          any |= p.empty();
          all += p + "; ";
        }
        if (!any) return all;
      } else if (key == "pattern") {
        if (v.is_string() && !std::regex_search(v.get<std::string>(), std::regex(wanted.get<std::string>())))
          return wrong("wanted " + wanted.dump());
      } else if (key == "minimum" || key == "maximum" || key == "exclusiveMinimum" || key == "exclusiveMaximum") {
        if (!v.is_number()) continue;
        const double x = v, limit = wanted;
        const bool holds = key == "minimum"                  ? x >= limit
                           : key == "maximum"                ? x <= limit
                           : key[9] == 'M' && key[10] == 'i' ? x > limit
                                                             : x < limit;
        if (!holds) return wrong(key + " " + wanted.dump());
      } else if (key == "minItems") {
        if (v.is_array() && v.size() < wanted.get<size_t>()) return wrong("too short");
      } else if (key == "minProperties" || key == "maxProperties") {
        if (v.is_object() && (key[1] == 'i' ? v.size() < wanted.get<size_t>() : v.size() > wanted.get<size_t>()))
          return wrong(key + " " + wanted.dump());
      } else if (key == "required") {
        for (const Json& name : wanted)
          if (v.is_object() && !v.contains(name.get<std::string>())) return wrong("lacks " + name.dump());
      } else if (key == "items") {
        for (size_t i = 0; v.is_array() && i < v.size(); ++i)
          if (auto p = check(wanted, v[i], at + "/" + std::to_string(i)); !p.empty()) return p;
      } else if (key == "properties") {
        for (const auto& [name, one] : wanted.items())
          if (v.is_object() && v.contains(name))
            if (auto p = check(one, v[name], at + "/" + name); !p.empty()) return p;
      } else {
        return "the validator does not know the keyword " + key;
      }
    }
    if (v.is_object() && schema.contains("additionalProperties"))
      for (const auto& [name, one] : v.items())
        if (!schema.value("properties", Json::object()).contains(name))
          if (auto p = check(schema["additionalProperties"], one, at + "/" + name); !p.empty()) return p;
    return "";
  }

  Json root_;
};

}  // namespace rgm
