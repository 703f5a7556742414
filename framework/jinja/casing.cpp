// casing.cpp - letter by letter through utf8proc; of the letters that become several, the German sharp s is known.
#include "jinja/casing.hpp"

#include <utf8proc.h>

#include "base/text.hpp"
#include "jinja/value.hpp"

namespace rgm::jinja {
namespace {

enum class To { upper, lower, title };

void append(std::string& out, char32_t c, To to) {
  constexpr char32_t sharp_s = 0xDF;
  if (c == sharp_s && to != To::lower) {
    out += to == To::upper ? "SS" : "Ss";
    return;
  }
  const auto letter = static_cast<utf8proc_int32_t>(c);
  append_utf8(out, static_cast<char32_t>(to == To::upper   ? utf8proc_toupper(letter)
                                         : to == To::lower ? utf8proc_tolower(letter)
                                                           : utf8proc_totitle(letter)));
}

bool has_case(char32_t c) {
  const int category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT;
}

std::string all(std::string_view text, To to) {
  std::string out;
  for (const char32_t c : code_points(text)) append(out, c, to);
  return out;
}

}  // namespace

std::string upper(std::string_view text) { return all(text, To::upper); }
std::string lower(std::string_view text) { return all(text, To::lower); }

std::string capitalized(std::string_view text) {
  std::string out;
  for (const char32_t c : code_points(text)) append(out, c, out.empty() ? To::title : To::lower);
  return out;
}

std::string titled(std::string_view text) {
  std::string out;
  bool begins = true;
  for (const char32_t c : code_points(text)) {
    append(out, c, begins ? To::title : To::lower);
    begins = !has_case(c);
  }
  return out;
}

// Jinja's words begin behind [-\s({\[<].
std::string title_of(std::string_view text) {
  std::string out;
  bool begins = true;
  for (const std::string& one : characters(text)) {
    append(out, code_points(one)[0], begins ? To::upper : To::lower);
    begins = std::string_view("-({[<").find(one) != std::string_view::npos || is_blank(one);
  }
  return out;
}

}  // namespace rgm::jinja
