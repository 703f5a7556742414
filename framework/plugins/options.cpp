// options.cpp - YAML values against option tables: types, ranges, choices, near names; and the values as plug-ins see.
#include "plugins/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/log.hpp"
#include "base/text.hpp"
#include "plugins/check.hpp"

namespace rgm {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> choices_of(const rgm_option& o) {
  std::vector<std::string> words;
  for (const char* const* c = o.choices; c && *c; ++c) words.emplace_back(*c);
  return words;
}

bool is_list(rgm_type type) { return type >= RGM_INTEGERS; }
rgm_type element_of(rgm_type type) {
  constexpr std::array<rgm_type, 3> elements = {RGM_INTEGER, RGM_REAL, RGM_TEXT};
  return is_list(type) ? elements[static_cast<size_t>(type - RGM_INTEGERS)] : type;
}

Json to_json(const rgm_value& v) {
  const auto text = [](rgm_str s) { return std::string(s.data, s.size); };
  Json list = Json::array();
  switch (v.type) {
    case RGM_BOOLEAN: return v.as.i != 0;
    case RGM_INTEGER: return v.as.i;
    case RGM_REAL: return v.as.f;
    case RGM_TEXT:
    case RGM_CHOICE: return text(v.as.s);
    case RGM_INTEGERS:
      for (uint32_t i = 0; i < v.count; ++i) list.push_back(v.as.is[i]);
      return list;
    case RGM_REALS:
      for (uint32_t i = 0; i < v.count; ++i) list.push_back(v.as.fs[i]);
      return list;
    case RGM_TEXTS:
      for (uint32_t i = 0; i < v.count; ++i) list.push_back(text(v.as.ss[i]));
      return list;
    default: return nullptr;
  }
}

// Fills what the plug-in sees from what people see.
void bind(rgm_config::Value& v, rgm_type type) {
  v.value = {};
  if (v.json.is_null()) return;
  v.value.type = type;
  v.value.count = is_list(type) ? static_cast<uint32_t>(v.json.size()) : 1;
  switch (type) {
    case RGM_BOOLEAN: v.value.as.i = v.json.get<bool>(); break;
    case RGM_INTEGER: v.value.as.i = v.json.get<int64_t>(); break;
    case RGM_REAL: v.value.as.f = v.json.get<double>(); break;
    case RGM_INTEGERS:
      v.integers = v.json.get<std::vector<int64_t>>();
      v.value.as.is = v.integers.data();
      break;
    case RGM_REALS:
      v.reals = v.json.get<std::vector<double>>();
      v.value.as.fs = v.reals.data();
      break;
    case RGM_TEXTS:
      v.texts = v.json.get<std::vector<std::string>>();
      v.views.clear();
      for (const std::string& s : v.texts) v.views.push_back({s.data(), s.size()});
      v.value.as.ss = v.views.data();
      break;
    default: v.text = v.json.get<std::string>(); v.value.as.s = {v.text.data(), v.text.size()};
  }
}

// The whole of `text` as a number; nothing when it is none.
template <class T>
std::optional<T> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// 2e3 is 2000 to whoever writes it; beyond 2^53 a double could mean its neighbour.
std::optional<int64_t> whole_number(std::string_view text) {
  if (const auto digits = number<int64_t>(text)) return digits;
  const auto x = number<double>(text);
  if (!x || *x != std::floor(*x) || std::fabs(*x) > 0x1p53) return std::nullopt;
  return static_cast<int64_t>(*x);
}

std::string shown(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a map";
  const std::string& text = node.Scalar();
  return node.Tag() == "!" ? fmt::format("the text \"{}\"", text) : fmt::format("\"{}\"", text);
}

class Reader {
 public:
  Reader(const rgm_option& option, std::string owner, Problems& problems, const PathFinder& find)
      : option_(option), owner_(std::move(owner)), problems_(problems), find_(find) {}

  // Nothing when it is wrong, which was then said.
  std::optional<Json> value(const YAML::Node& node) const {
    if (!is_list(option_.type)) return scalar(node, option_.type);
    const rgm_type element = element_of(option_.type);
    Json list = Json::array();
    bool right = true;
    const auto add = [&](const YAML::Node& n) {
      const auto one = scalar(n, element);
      right = right && one;
      if (one) list.push_back(*one);
    };
    if (node.IsSequence())
      for (const YAML::Node& n : node) add(n);
    else
      add(node);  // one alone needs no brackets
    return right ? std::optional(std::move(list)) : std::nullopt;
  }

 private:
  std::optional<Json> wrong(const YAML::Node& node, const std::string& wanted, const std::string& end = "") const {
    problems_.add(node, "{}: option \"{}\" should be {}, got {}{}", owner_, option_.key, wanted, shown(node), end);
    return std::nullopt;
  }
  std::optional<Json> in_range(const YAML::Node& node, double x, Json value) const {
    if (x >= option_.min && x <= option_.max) return value;
    problems_.add(node, "{}: option \"{}\" is {}, its range is {}", owner_, option_.key, node.Scalar(),
                  range_text(option_));
    return std::nullopt;
  }

  std::optional<Json> scalar(const YAML::Node& node, rgm_type type) const {
    const bool is_scalar = node.IsScalar();
    const std::string text = is_scalar ? node.Scalar() : "";
    const bool plain = is_scalar && node.Tag() != "!";  // a quoted value is a text, whatever is in it
    switch (type) {
      case RGM_BOOLEAN: {
        bool out = false;
        if (!plain || !YAML::convert<bool>::decode(node, out)) return wrong(node, "true or false");
        return out;
      }
      case RGM_INTEGER: {
        const auto out = plain ? whole_number(text) : std::nullopt;
        if (!out) return wrong(node, "an integer");
        return in_range(node, static_cast<double>(*out), *out);
      }
      case RGM_REAL: {
        const auto out = plain ? number<double>(text) : std::nullopt;
        if (!out || !std::isfinite(*out)) return wrong(node, "a number");
        return in_range(node, *out, *out);
      }
      case RGM_CHOICE: {
        const std::vector<std::string> words = choices_of(option_);
        if (is_scalar && std::count(words.begin(), words.end(), text)) return text;
        return wrong(node, "one of " + join(words), did_you_mean(text, words));
      }
      default:
        if (!is_scalar) return wrong(node, "text");
        if (!(option_.flags & RGM_PATH) || !find_) return text;
        try {
          return find_(text);
        } catch (const Error& e) {
          problems_.add(node, "{}: option \"{}\": {}", owner_, option_.key, e.what());
          return std::nullopt;
        }
    }
  }

  const rgm_option& option_;
  std::string owner_;
  Problems& problems_;
  const PathFinder& find_;
};

std::string unknown_key(const std::string& key, const std::string& owner, const std::vector<std::string>& known) {
  if (const std::string_view here = name_here(key, known); !here.empty())
    return fmt::format("{}: option \"{}\" is called \"{}\" here", owner, key, here);
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
    Json& sites = config->values["sites"].json = Json::array();
    const auto& table = *static_cast<const rgm_adapter*>(component.table);
    for (const char* const* s = table.sites; *s; ++s) sites.push_back(*s);
  }

  const bool nothing = !map.IsDefined() || map.IsNull();
  if (!nothing && !map.IsMap())
    problems.add(map, "{}: its options should be a map, {{key: value}}, got {}", owner, shown(map));
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
      if (auto json = Reader(*o, owner, problems, find).value(item.second)) value.json = std::move(*json);
    }

  for (const rgm_option& o : options) {
    rgm_config::Value& value = config->values[o.key];
    if ((o.flags & RGM_REQUIRED) && !value.given)
      problems.add(map.IsDefined() ? map.Mark() : YAML::Mark::null_mark(),
                   fmt::format("{}: option \"{}\" must be given: {}", owner, o.key, o.help));
    bind(value, o.type);
  }
  return config;
}

rgm_status config_get(const rgm_config* config, const char* key, rgm_value* out) {
  if (!config || !key) return RGM_INVALID;
  const auto found = config->values.find(std::string_view(key));
  if (found == config->values.end()) return RGM_INVALID;
  *out = found->second.value;
  return RGM_OK;
}

nlohmann::ordered_json to_json(const rgm_config& config) {
  Json all = Json::object();
  for (const rgm_option& o : options_of(*config.component)) all[o.key] = config.values.find(o.key)->second.json;
  return all;
}

std::string canonical(const rgm_config& config) {
  nlohmann::json sorted = nlohmann::json::object();  // by key, so that a reordered table hashes the same
  for (const auto& [key, value] : config.values) sorted[key] = value.json;
  return nlohmann::json{{"kind", kind_name(config.component->kind)}, {"id", config.component->id}, {"options", sorted}}
      .dump();
}

std::string_view type_name(rgm_type type) {
  constexpr std::array<std::string_view, 9> names = {"unset",  "boolean",  "integer", "real", "text",
                                                     "choice", "integers", "reals",   "texts"};
  return type >= 0 && type < static_cast<rgm_type>(names.size()) ? names[static_cast<size_t>(type)] : "unknown";
}

std::string range_text(const rgm_option& o) {
  const bool low = std::isfinite(o.min), high = std::isfinite(o.max);
  if (low && high) return fmt::format("{} to {}", o.min, o.max);
  if (low) return fmt::format("at least {}", o.min);
  return high ? fmt::format("at most {}", o.max) : "";
}

nlohmann::ordered_json describe(const rgm_option& o) {
  Json out{{"key", o.key}, {"type", type_name(o.type)}, {"default", to_json(o.initial)}};
  if (std::isfinite(o.min)) out["min"] = o.min;
  if (std::isfinite(o.max)) out["max"] = o.max;
  if (o.choices) out["choices"] = choices_of(o);
  out["help"] = o.help;
  if (o.flags & RGM_REQUIRED) out["required"] = true;
  if (o.flags & RGM_ADVANCED) out["advanced"] = true;
  if (o.flags & RGM_DEPRECATED) out["deprecated"] = true;
  return out;
}

}  // namespace rgm
