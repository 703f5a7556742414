// json.cpp - how deep a text of JSON is nested, told before it is parsed; and all that is compiled of the library.
#include "base/json.hpp"

#include <algorithm>

namespace rgm {

bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool in_text = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_text) {
      if (c == '\\') ++at;
      in_text = c != '"';
      continue;
    }
    in_text = c == '"';
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    if (depth > deepest_json) return true;
  }
  return false;
}

namespace {

// It quotes what it read last, which may be a number of a megabyte: its beginning and its end say what is wrong.
std::string cut(std::string_view text) {
  size_t head = 160, tail = text.size() - std::min<size_t>(text.size(), 80);
  if (text.size() <= 240) return std::string(text);
  const auto is_within_a_character = [&](size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80; };
  while (is_within_a_character(head)) --head;
  while (is_within_a_character(tail)) ++tail;
  return std::string(text.substr(0, head)) + " ... " + std::string(text.substr(tail));
}

}  // namespace

std::string json_reason(const std::exception& e) {
  std::string_view text = e.what();
  if (const size_t number = text.find("] "); text.starts_with("[json.exception") && number != std::string_view::npos)
    text.remove_prefix(number + 2);
  const size_t place = text.rfind(": "), from = text.find("syntax error");
  if (from != std::string_view::npos) return cut(text.substr(from));
  return cut(place == std::string_view::npos ? text : text.substr(place + 2));
}

template <class Json>
Json parse_json(std::string_view text, const std::string& where) {
  require(!is_too_deep(text), "{}: JSON is nested more than {} levels deep, which is the limit", where, deepest_json);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    invalid("{}: not valid JSON: {}", where, json_reason(e));
  }
}

template <class Json>
Json json_or_discarded(std::string_view text) {
  return is_too_deep(text) ? Json(Json::value_t::discarded) : Json::parse(text, nullptr, false);
}

template nlohmann::json parse_json(std::string_view, const std::string&);
template nlohmann::ordered_json parse_json(std::string_view, const std::string&);
template nlohmann::json json_or_discarded(std::string_view);
template nlohmann::ordered_json json_or_discarded(std::string_view);

}  // namespace rgm

template class nlohmann::basic_json<>;
template class nlohmann::basic_json<nlohmann::ordered_map>;
