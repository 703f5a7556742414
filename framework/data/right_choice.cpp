// right_choice.cpp - which choice an answer means: a number, a letter, a label or a text.
#include <algorithm>
#include <cmath>

#include "data/choice_rows.hpp"
#include "data/stored_column.hpp"

namespace rgm {
namespace {

std::optional<size_t> whole_number(const std::string& text) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != text.npos) return std::nullopt;
  return std::stoul(text);
}

}  // namespace

size_t right_choice(const Row& value, const std::vector<std::string>& choices, const std::vector<std::string>& labels,
                    const std::string& where) {
  const auto place = [](const std::vector<std::string>& in, const std::string& text) -> std::optional<size_t> {
    const auto found = std::ranges::find(in, text);
    return found == in.end() ? std::nullopt : std::optional(static_cast<size_t>(found - in.begin()));
  };
  const std::string text = value.is_boolean() ? (value.get<bool>() ? "1" : "0") : as_text(value);
  if (const auto labelled = place(labels, text)) return *labelled;
  std::optional<size_t> number = whole_number(text);
  if (value.is_number_float() && value.get<double>() >= 0 && value.get<double>() < double(choices.size()) &&
      value.get<double>() == std::floor(value.get<double>()))
    number = static_cast<size_t>(value.get<double>());
  if (number && *number >= choices.size()) number.reset();
  if (value.is_string()) {
    if (const auto said = place(choices, text)) {
      require(!number || *number == *said,
              "{}: the answer \"{}\" is the text of choice {} and the number of choice {}, counted from 0: give a "
              "letter, as with a template, answer: \"{{{{ 'ABCD'[…] }}}}\"",
              where, text, *said, *number);
      return *said;
    }
    const char c = text.size() == 1 ? text[0] : '\0';
    const auto letter = static_cast<size_t>(c >= 'a' ? c - 'a' : c >= 'A' ? c - 'A' : 26);
    if (letter < 26 && letter < choices.size()) return letter;
  }
  require(number.has_value(),
          "{}: the answer is {}, which is none of the {} choices: expected a number from 0 to {}, a letter from A to "
          "{}, or a choice's text{}",
          where, value.dump(-1, ' ', false, Row::error_handler_t::replace).substr(0, 60), choices.size(),
          choices.size() - 1, static_cast<char>('A' + std::min<size_t>(choices.size(), 26) - 1),
          labels.empty() ? "" : " or label");
  return *number;
}

}  // namespace rgm
