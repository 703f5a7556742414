// csv.cpp - one record of comma-separated values, as RFC 4180 has it.
#include "base/error.hpp"
#include "data/rows.hpp"

namespace rgm {
namespace {

// Is there a line break at `at`? Its length.
size_t line_break(TextWindow& text, size_t at) {
  if (text[at] == '\n') return 1;
  return text[at] == '\r' && text.holds(at + 1) && text[at + 1] == '\n' ? 2 : 0;
}

// A quoted field; `at` is behind its first quote, and afterwards behind its last.
std::string quoted(TextWindow& text, size_t& at, size_t& line, const std::string& file, char separator) {
  const size_t began_on = line;
  std::string out;
  for (;; ++at) {
    require(text.holds(at), "{}:{}: a quoted field begins here and never ends", file, began_on);
    if (text[at] == '"') {
      if (!text.holds(at + 1) || text[at + 1] != '"') break;
      ++at;  // a doubled quote stands for one
    }
    if (text[at] == '\n') ++line;
    out += text[at];
  }
  ++at;
  if (!text.holds(at) || text[at] == separator || line_break(text, at) > 0) return out;
  const std::string sign = text[at] == '\t'                     ? "\\t"
                           : text[at] == ';' || text[at] == '|' ? std::string(1, text[at])
                                                                : "";
  const std::string hint = fmt::format(
      ", or if \"{0}\" parts the fields, write {{csv: FILE, separator: \"{0}\"}}, or for a command --separator \"{0}\"",
      sign);
  invalid("{}:{}: there is text after a quoted field; double the quotes inside it{}", file, line,
          sign.empty() ? "" : hint);
}

}  // namespace

bool next_csv_record(TextWindow& text, size_t& line, const std::string& file, std::vector<std::string>& fields,
                     size_t& began_on, char separator) {
  fields.clear();
  size_t at = 0;
  while (text.holds(at) && line_break(text, at) > 0) at += line_break(text, at), ++line;
  text.drop(at);
  at = 0;
  if (!text.holds(at)) return false;
  began_on = line;
  for (bool is_last = false; !is_last;) {
    if (text.holds(at) && text[at] == '"') {
      ++at;
      fields.push_back(quoted(text, at, line, file, separator));
    } else {
      const size_t begin = at;
      while (text.holds(at) && text[at] != separator && line_break(text, at) == 0) ++at;
      fields.emplace_back(text.text().substr(begin, at - begin));
    }
    is_last = !text.holds(at) || text[at] != separator;
    if (!is_last) ++at;
  }
  if (text.holds(at)) at += line_break(text, at), ++line;
  text.drop(at);
  return true;
}

}  // namespace rgm
