// json.hpp - JSON from outside. Its depth is bounded, as what is nested without end overflows the stack where it is
// copied, compared or written.
#pragma once
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace rgm {

inline constexpr int deepest_json = 100;

// Whether brackets of the text are nested deeper than that.
bool is_too_deep(std::string_view text);
// Whether lists and objects of the value are nested more than `most` deep.
template <class Json>
bool is_deeper(const Json& value, int most) {
  if (!value.is_structured()) return false;
  return most == 0 || std::ranges::any_of(value, [&](const Json& part) { return is_deeper(part, most - 1); });
}

// The parser's own words, without its number: "syntax error while parsing ...".
std::string json_reason(const std::exception& e);

// RGM_INVALID beginning with `where`.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, const std::string& where) {
  require(!is_too_deep(text), "{}: JSON nested more than {} deep, at most that was expected", where, deepest_json);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    invalid("{}: not valid JSON: {}", where, json_reason(e));
  }
}

// For a file that may be damaged and is then done without: discarded where the above refuses it.
template <class Json = nlohmann::json>
Json json_or_discarded(std::string_view text) {
  return is_too_deep(text) ? Json(Json::value_t::discarded) : Json::parse(text, nullptr, false);
}

}  // namespace rgm
