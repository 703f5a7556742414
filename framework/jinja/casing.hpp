// casing.hpp - large and small letters, as Python's methods of texts have them.
#pragma once
#include <string>
#include <string_view>

namespace rgm::jinja {

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalized(std::string_view text);  // "ab CD" -> "Ab cd"
std::string titled(std::string_view text);       // "don't" -> "Don'T", as str.title()
std::string title_of(std::string_view text);     // "don't" -> "Don't", as Jinja's filter

}  // namespace rgm::jinja
