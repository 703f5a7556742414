// option_description.cpp - an option as people read of it: its type, default, range and choices.
#include <array>
#include <cmath>

#include "base/error.hpp"
#include "plugins/options.hpp"

namespace rgm {
namespace {
using Json = nlohmann::ordered_json;
}

std::vector<std::string> choices_of(const rgm_option& o) {
  std::vector<std::string> words;
  for (const char* const* c = o.choices; c && *c; ++c) words.emplace_back(*c);
  return words;
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
