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

// The parser's own words, without its number and not too many: "syntax error while parsing ...".
std::string json_reason(const std::exception& e);

// RGM_INVALID beginning with `where`.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, const std::string& where = "the text");
// For a file that may be damaged and is then done without: discarded where the above refuses it.
template <class Json = nlohmann::json>
Json json_or_discarded(std::string_view text);

// The parser and what values can do are compiled once, in json.cpp: they are a fifth of what a file that uses them
// takes.
extern template nlohmann::json parse_json(std::string_view, const std::string&);
extern template nlohmann::ordered_json parse_json(std::string_view, const std::string&);
extern template nlohmann::json json_or_discarded(std::string_view);
extern template nlohmann::ordered_json json_or_discarded(std::string_view);

}  // namespace rgm

extern template class nlohmann::basic_json<>;
extern template class nlohmann::basic_json<nlohmann::ordered_map>;
