// methods.cpp - what texts and maps can be asked for, under Python's names.
#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "jinja/value.hpp"

namespace rgm::jinja {
namespace {

constexpr std::string_view blank = " \t\n\r\f\v";

// What Python's strip() takes off beside ASCII's blanks.
bool is_blank(std::string_view c) {
  if (c.size() == 1) return blank.find(c[0]) != std::string_view::npos || (c[0] >= '\x1c' && c[0] <= '\x1f');
  for (const std::string_view known :
       {"\xC2\x85", "\u00a0", "\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"})
    if (c == known) return true;
  return c >= "\u2000" && c <= "\u200a" && c.size() == 3;
}

// One character of UTF-8 at either end.
std::string_view last_of(std::string_view text) {
  size_t n = 1;
  while (n < text.size() && n < 4 && (static_cast<unsigned char>(text[text.size() - n]) & 0xC0) == 0x80) ++n;
  return text.substr(text.size() - n);
}
std::string_view first_of(std::string_view text) {
  size_t n = 1;
  while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) ++n;
  return text.substr(0, n);
}

const Value& argument(const Arguments& all, size_t i, const char* name) {
  static const Value none;
  if (i < all.positional.size()) return all.positional[i];
  const Value* const named = find(all.named, name);
  return named ? *named : none;
}

std::string text_of(const Arguments& all, size_t i, const char* name) {
  const Value& value = argument(all, i, name);
  if (!value.is_text()) invalid("the {} is {}, a text was expected", name, value.kind());
  return value.text();
}

std::string stripped(std::string_view text, const Arguments& a, bool left, bool right) {
  const Value& given = argument(a, 0, "characters");
  const std::vector<std::string> which = given.is_text() ? characters(given.text()) : std::vector<std::string>();
  const auto goes = [&](std::string_view c) {
    return given.is_text() ? std::ranges::find(which, c) != which.end() : is_blank(c);
  };
  while (left && !text.empty() && goes(first_of(text))) text.remove_prefix(first_of(text).size());
  while (right && !text.empty() && goes(last_of(text))) text.remove_suffix(last_of(text).size());
  return std::string(text);
}

std::string cased(std::string text, std::string_view how) {
  bool begins = true;
  for (char& c : text) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool up = how == "upper" || (how != "lower" && begins);
    if (is_letter) c = static_cast<char>(up ? c & ~32 : c | 32);
    begins = how == "title" ? !is_letter : false;
  }
  return text;
}

// At most `most` cuts, from the right with `last`; without a separator at runs of blanks.
List split(std::string_view text, const Arguments& a, bool last) {
  const Value &by = argument(a, 0, "sep"), &limit = argument(a, 1, "maxsplit");
  int64_t most = limit.is_undefined() ? -1 : std::max<int64_t>(-1, limit.integer("maxsplit"));
  List out;
  if (!by.is_text()) {
    for (size_t at = text.find_first_not_of(blank); at != std::string_view::npos;) {
      const size_t end = most-- == 0 ? std::string_view::npos : text.find_first_of(blank, at);
      out.emplace_back(std::string(text.substr(at, end == std::string_view::npos ? end : end - at)));
      at = end == std::string_view::npos ? end : text.find_first_not_of(blank, end);
    }
    return out;
  }
  const std::string& separator = by.text();
  if (separator.empty()) invalid("a text cannot be split by an empty one");
  while (most-- != 0) {
    const size_t at = last ? text.rfind(separator) : text.find(separator);
    if (at == std::string_view::npos) break;
    const std::string_view behind = text.substr(at + separator.size()), front = text.substr(0, at);
    out.emplace_back(std::string(last ? behind : front));
    text = last ? front : behind;
  }
  out.emplace_back(std::string(text));
  if (last) std::ranges::reverse(out);
  return out;
}

std::string replaced(std::string_view text, const Arguments& a) {
  const std::string from = text_of(a, 0, "old"), to = text_of(a, 1, "new");
  const Value& limit = argument(a, 2, "count");
  int64_t most = limit.is_undefined() ? -1 : std::max<int64_t>(-1, limit.integer("count"));
  std::string out;
  if (from.empty()) invalid("an empty text cannot be replaced");
  while (most-- != 0) {
    const size_t at = text.find(from);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at)).append(to);
    if (out.size() > size_t{16} << 20) invalid("a text grows beyond 16 megabytes where \"{}\" is replaced", from);
    text.remove_prefix(at + from.size());
  }
  return out.append(text);
}

bool any(const Value& given, const std::function<bool(const std::string&)>& fits) {
  if (given.is_text()) return fits(given.text());
  const List all = items_of(given, "what a text begins or ends with");
  return std::ranges::any_of(all, [&](const Value& one) { return one.is_text() && fits(one.text()); });
}

Value of_text(const std::string& text, const std::string& name) {
  const auto function = [](auto f) { return Value(Function(std::move(f))); };
  const bool left = name == "strip" || name == "lstrip", right = name == "strip" || name == "rstrip";
  if (left || right) return function([=](const Arguments& a) { return stripped(text, a, left, right); });
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize")
    return function([=](const Arguments&) { return cased(text, name); });
  if (name == "split" || name == "rsplit")
    return function([=](const Arguments& a) { return split(text, a, name == "rsplit"); });
  if (name == "splitlines")
    return function([=](const Arguments&) {
      List out = split(text, {{Value("\n")}, {}}, false);
      if (out.back().text().empty()) out.pop_back();
      return out;
    });
  if (name == "replace") return function([=](const Arguments& a) { return replaced(text, a); });
  if (name == "startswith")
    return function([=](const Arguments& a) {
      return any(argument(a, 0, "prefix"), [&](const std::string& s) { return text.starts_with(s); });
    });
  if (name == "endswith")
    return function([=](const Arguments& a) {
      return any(argument(a, 0, "suffix"), [&](const std::string& s) { return text.ends_with(s); });
    });
  if (name == "find")
    return function([=](const Arguments& a) {
      const size_t at = text.find(text_of(a, 0, "part"));
      if (at == std::string::npos) return int64_t{-1};
      return static_cast<int64_t>(characters(std::string_view(text).substr(0, at)).size());
    });
  if (name == "join")
    return function([=](const Arguments& a) { return filter("join", argument(a, 0, "texts"), {{Value(text)}, {}}); });
  return Undefined{name};
}

Value of_map(const Value& map, const std::string& name) {
  const auto function = [](auto f) { return Value(Function(std::move(f))); };
  if (name == "items") return function([=](const Arguments&) { return filter("items", map, {}); });
  if (name == "keys") return function([=](const Arguments&) { return items_of(map, ""); });
  if (name == "values")
    return function([=](const Arguments&) {
      List out;
      for (const auto& one : map.map()) out.push_back(one.second);
      return out;
    });
  if (name == "get")
    return function([=](const Arguments& a) {
      const Value& key = argument(a, 0, "key");
      const Value* const found = key.is_text() ? find(map.map(), key.text()) : nullptr;
      if (found) return *found;
      const Value& otherwise = argument(a, 1, "default");
      return otherwise.is_undefined() ? Value(None{}) : otherwise;
    });
  return Undefined{name};
}

}  // namespace

Value method(const Value& value, const std::string& name) {
  if (value.is_text()) return of_text(value.text(), name);
  if (value.is_map()) return of_map(value, name);
  return Undefined{name};
}

}  // namespace rgm::jinja
