// csv.cpp - one record of comma-separated values, as RFC 4180 has it.
#include "base/error.hpp"
#include "data/rows.hpp"

namespace rgm {
namespace {

// Is there a line break at `at`? Its length.
size_t line_break(std::string_view text, size_t at) {
  if (text[at] == '\n') return 1;
  return text.substr(at).starts_with("\r\n") ? 2 : 0;
}

// A quoted field; `at` is behind its first quote, and afterwards behind its last.
std::string quoted(std::string_view text, size_t& at, size_t& line, const std::string& file) {
  const size_t began_on = line;
  std::string out;
  for (;; ++at) {
    require(at < text.size(), "{}:{}: a quoted field begins here and never ends", file, began_on);
    if (text[at] == '"') {
      if (at + 1 >= text.size() || text[at + 1] != '"') break;
      ++at;  // a doubled quote stands for one
    }
    if (text[at] == '\n') ++line;
    out += text[at];
  }
  ++at;
  require(at == text.size() || text[at] == ',' || line_break(text, at) > 0,
          "{}:{}: there is text after a quoted field; double the quotes inside it", file, line);
  return out;
}

}  // namespace

bool next_csv_record(std::string_view text, size_t& at, size_t& line, const std::string& file,
                     std::vector<std::string>& fields, size_t& began_on) {
  fields.clear();
  while (at < text.size() && line_break(text, at) > 0) at += line_break(text, at), ++line;
  if (at == text.size()) return false;
  began_on = line;
  for (;;) {
    if (at < text.size() && text[at] == '"') {
      ++at;
      fields.push_back(quoted(text, at, line, file));
    } else {
      const size_t begin = at;
      while (at < text.size() && text[at] != ',' && line_break(text, at) == 0) ++at;
      fields.emplace_back(text.substr(begin, at - begin));
    }
    if (at == text.size()) return true;
    if (const size_t length = line_break(text, at); length > 0) {
      at += length;
      ++line;
      return true;
    }
    ++at;  // the comma
  }
}

}  // namespace rgm
