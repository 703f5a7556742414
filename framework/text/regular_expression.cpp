// regular_expression.cpp - patterns through PCRE2, whose steps are bounded: one may come from a file of somebody else.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regular_expression.hpp"

#include <pcre2.h>

#include "base/error.hpp"

namespace rgm {
namespace {

constexpr uint32_t most_steps = 100000;

std::string message_of(int error) {
  unsigned char text[128] = {};
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

RegularExpression::RegularExpression(const std::string& pattern, const std::string& where) : where_(where) {
  int error = 0;
  size_t at = 0;
  pcre2_code* const code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &at, nullptr);
  require(code != nullptr, "{}: the regular expression \"{}\" is wrong at character {}: {}", where, pattern, at + 1,
          message_of(error));
  code_ = std::shared_ptr<const void>(
      code, [](const void* p) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p))); });
}

bool RegularExpression::fits(std::string_view text) const {
  const auto* const code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> found(
      pcre2_match_data_create_from_pattern(code, nullptr), pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> bounds(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  pcre2_set_match_limit(bounds.get(), most_steps);
  const int status =
      pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, found.get(), bounds.get());
  require(status >= 0 || status == PCRE2_ERROR_NOMATCH,
          "{}: the regular expression does not come to an end on \"{}\": {}", where_, text, message_of(status));
  return status >= 0;
}

}  // namespace rgm
