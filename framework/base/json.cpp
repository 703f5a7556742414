// json.cpp - how deep a text of JSON is nested, told before it is parsed.
#include "base/json.hpp"

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

std::string json_reason(const std::exception& e) {
  const std::string_view text = e.what();
  const size_t place = text.rfind(": "), from = text.find("syntax error");
  if (from != std::string_view::npos) return std::string(text.substr(from));
  return std::string(place == std::string_view::npos ? text : text.substr(place + 2));
}

}  // namespace rgm
