// lexer.cpp - text, tags and expressions told apart; numbers, names, texts and signs within tags.
#include "jinja/lexer.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "base/error.hpp"
#include "base/text.hpp"

namespace rgm::jinja {
namespace {

constexpr std::string_view blank = " \t\n\r\f\v";
constexpr std::array<std::string_view, 29> signs = {"//", "**", "==", "!=", "<=", ">=", "(", ")", "[", "]",
                                                    "{",  "}",  ",",  ":",  ".",  "|",  "+", "-", "*", "/",
                                                    "%",  "~",  "=",  "<",  ">",  ";",  "!", "&", "@"};

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  Lexer(std::string_view text, const std::string& where) : text_(text), where_(where) {
    if (text_.ends_with('\n')) text_.remove_suffix(1);
  }

  std::vector<Token> all() {
    while (at_ < text_.size()) {
      size_t tag = at_;
      for (; tag < text_.size(); ++tag)
        if (text_[tag] == '{' && tag + 1 < text_.size() && std::string_view("{%#").find(text_[tag + 1]) < 3) break;
      data(tag);
      if (tag == text_.size()) break;
      const char kind = text_[tag + 1];
      at_ = tag + 2;
      if (at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+')) ++at_;
      if (kind == '#')
        comment();
      else
        inside(kind == '%');
    }
    add(Token::Kind::end, "");
    return std::move(out_);
  }

 private:
  void add(Token::Kind kind, std::string value) { out_.push_back({kind, std::move(value), line_}); }
  [[noreturn]] void wrong(const std::string& what) const { invalid("{}:{}: {}", where_, line_, what); }
  void pass(size_t to) {
    line_ += static_cast<int>(
        std::count(text_.begin() + static_cast<int64_t>(at_), text_.begin() + static_cast<int64_t>(to), '\n'));
    at_ = to;
  }

  // The text up to a tag, without what the tag strips in front of it.
  void data(size_t tag) {
    std::string_view piece = text_.substr(at_, tag - at_);
    const char kind = tag + 1 < text_.size() ? text_[tag + 1] : 0, mark = tag + 2 < text_.size() ? text_[tag + 2] : 0;
    if (tag < text_.size() && mark == '-') {
      piece = piece.substr(0, piece.find_last_not_of(blank) + 1);
    } else if (tag < text_.size() && kind != '{' && mark != '+') {
      const size_t newline = piece.rfind('\n'), begin = newline == std::string_view::npos ? 0 : newline + 1;
      const bool whole_line = newline != std::string_view::npos || line_begins_;
      if (whole_line && piece.find_first_not_of(" \t\r\f\v", begin) == std::string_view::npos)
        piece = piece.substr(0, begin);
    }
    if (!piece.empty()) add(Token::Kind::data, std::string(piece));
    pass(tag);
  }

  // Behind the end of a tag, whose mark is '-', '+' or none.
  void after(bool is_tag, char mark) {
    size_t end = at_;
    if (mark == '-')
      end = std::min(text_.find_first_not_of(blank, at_), text_.size());
    else if (is_tag && mark != '+' && text_.substr(at_).starts_with('\n'))
      end = at_ + 1;
    line_begins_ = end > at_ && text_[end - 1] == '\n';
    pass(end);
  }

  void comment() {
    const size_t end = text_.find("#}", at_);
    if (end == std::string_view::npos) wrong("a comment that does not end with #}");
    const char mark = text_[end - 1];
    pass(end + 2);
    after(true, mark == '-' || mark == '+' ? mark : char{0});
  }

  void inside(bool is_tag) {
    add(is_tag ? Token::Kind::tag_begin : Token::Kind::expression_begin, "");
    const size_t began = out_.size();
    const std::string_view close = is_tag ? "%}" : "}}";
    for (int depth = 0;;) {
      pass(std::min(text_.find_first_not_of(blank, at_), text_.size()));
      if (at_ == text_.size()) wrong(is_tag ? "a tag that does not end with %}" : "an expression without its }}");
      const std::string_view rest = text_.substr(at_);
      const bool marked = rest[0] == '-' || rest[0] == '+';
      if (depth == 0 && rest.substr(marked).starts_with(close)) {
        pass(at_ + marked + 2);
        add(is_tag ? Token::Kind::tag_end : Token::Kind::expression_end, "");
        const bool is_raw = is_tag && out_.size() == began + 2 && out_[began].value == "raw";
        after(is_tag && !is_raw, marked ? rest[0] : char{0});
        break;
      }
      one(rest);
      const std::string& last = out_.back().value;
      if (out_.back().kind == Token::Kind::sign)
        depth += (last == "{" || last == "(" || last == "[") - (last == "}" || last == ")" || last == "]");
      if (depth < 0) wrong("a closing bracket without its opening one");
    }
    if (is_tag && out_.size() == began + 2 && out_[began].value == "raw") raw();
  }

  void raw() {
    out_.resize(out_.size() - 3);
    for (size_t end = text_.find("{%", at_); end != std::string_view::npos; end = text_.find("{%", end + 2)) {
      std::string_view tag = text_.substr(end + 2);
      const size_t close = tag.find("%}");
      if (close == std::string_view::npos) break;
      tag = tag.substr(0, close);
      while (!tag.empty() && (blank.find(tag.front()) < blank.size() || tag.front() == '-')) tag.remove_prefix(1);
      while (!tag.empty() && (blank.find(tag.back()) < blank.size() || tag.back() == '-')) tag.remove_suffix(1);
      if (tag != "endraw") continue;
      data(end);
      const char mark = text_[end + 2 + close - 1];
      pass(end + close + 4);
      return after(true, mark == '-' ? mark : char{0});
    }
    wrong("raw without its endraw");
  }

  void one(std::string_view rest) {
    size_t n = 0;
    if (is_letter(rest[0])) {
      while (n < rest.size() && (is_letter(rest[n]) || is_digit(rest[n]))) ++n;
      add(Token::Kind::name, std::string(rest.substr(0, n)));
    } else if (is_digit(rest[0])) {
      while (n < rest.size() && is_digit(rest[n])) ++n;
      bool real = n + 1 < rest.size() && rest[n] == '.' && is_digit(rest[n + 1]);
      if (real)
        for (++n; n < rest.size() && is_digit(rest[n]);) ++n;
      if (const size_t e = exponent(rest.substr(n)); e > 0) real = true, n += e;
      if (n > 18) wrong("a number of " + std::to_string(n) + " digits");
      add(real ? Token::Kind::real : Token::Kind::integer, std::string(rest.substr(0, n)));
    } else if (rest[0] == '"' || rest[0] == '\'') {
      n = literal(rest);
    } else {
      const auto found = std::ranges::find_if(signs, [&](std::string_view s) { return rest.starts_with(s); });
      if (found == signs.end()) wrong(std::string("the character ") + rest[0]);
      n = found->size();
      add(Token::Kind::sign, std::string(*found));
    }
    pass(at_ + n);
  }

  // e3, E-3
  static size_t exponent(std::string_view rest) {
    if (rest.empty() || (rest[0] != 'e' && rest[0] != 'E')) return 0;
    const size_t first = rest.size() > 1 && (rest[1] == '-' || rest[1] == '+') ? 2 : 1;
    size_t n = first;
    while (n < rest.size() && is_digit(rest[n])) ++n;
    return n > first ? n : 0;
  }

  size_t literal(std::string_view rest) {
    std::string value;
    for (size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == rest[0]) {
        add(Token::Kind::text, std::move(value));
        return i + 1;
      }
      if (rest[i] != '\\' || i + 1 == rest.size()) {
        value += rest[i];
        continue;
      }
      i += escape(rest.substr(i + 1), value);
    }
    wrong("a string that does not end");
  }

  // What Python makes of the characters behind a backslash; answers how many they are.
  size_t escape(std::string_view rest, std::string& value) {
    const char c = rest[0];
    if (c == '\n') return 1;  // the line goes on
    if (const size_t known = std::string_view("ntr\\'\"abfv").find(c); known != std::string_view::npos) {
      value += "\n\t\r\\'\"\a\b\f\v"[known];
      return 1;
    }
    const size_t hexadecimal = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;  // \x41, \u2581, \U0001F600
    const size_t octal = std::min(rest.find_first_not_of("01234567"), rest.size());
    if (c == 'N') wrong("\\N in a string: characters cannot be given by name, write the number, as in \\u2581");
    if (hexadecimal == 0 && octal == 0) {
      value += '\\';  // as in Python, it stands for itself
      value += c;
      return 1;
    }
    const std::string_view digits =
        hexadecimal ? rest.substr(1, hexadecimal) : rest.substr(0, std::min<size_t>(octal, 3));
    uint32_t point = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), point, hexadecimal ? 16 : 8);
    if (error != std::errc() || end != digits.data() + digits.size() || (hexadecimal && digits.size() < hexadecimal))
      wrong(fmt::format("\\{} in a string, {} hexadecimal digits were expected after it", c, hexadecimal));
    if (point >= 0xD800 && point < 0xE000) wrong("half of a surrogate pair in a string");
    if (point > 0x10FFFF) wrong(fmt::format("the character {:#x} in a string, at most 0x10ffff was expected", point));
    append_utf8(value, static_cast<char32_t>(point));
    return digits.size() + (hexadecimal > 0);
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_begins_ = true;
  std::vector<Token> out_;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view text, const std::string& where) {
  std::string with_newlines;  // \r\n and \r are \n to Jinja, within texts too
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r')
      with_newlines += text[i];
    else if (!text.substr(i + 1).starts_with('\n'))
      with_newlines += '\n';
  return Lexer(with_newlines, where).all();
}

}  // namespace rgm::jinja
