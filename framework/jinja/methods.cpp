// methods.cpp - what texts and maps can be asked for, under Python's names.
#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "jinja/arguments.hpp"
#include "jinja/casing.hpp"

namespace rgm::jinja {

bool is_blank(std::string_view c) {
  if (c.size() == 1) return (c[0] >= '\t' && c[0] <= '\r') || c[0] == ' ' || (c[0] >= '\x1c' && c[0] <= '\x1f');
  for (const std::string_view known :
       {"\xC2\x85", "\u00a0", "\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"})
    if (c == known) return true;
  return c >= "\u2000" && c <= "\u200a" && c.size() == 3;
}

std::string_view last_of(std::string_view text) {
  size_t n = 1;
  while (n < text.size() && n < 4 && (static_cast<unsigned char>(text[text.size() - n]) & 0xC0) == 0x80) ++n;
  return text.substr(text.size() - std::min(n, text.size()));
}
std::string_view first_of(std::string_view text) {
  size_t n = 1;
  while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) ++n;
  return text.substr(0, n);
}

namespace {

std::string text_of(const Arguments& all, size_t i, const char* name) {
  const Value value = argument(all, i, name);
  if (!value.is_text()) invalid("the {} is {}, a string was expected", name, value.kind());
  return value.text();
}

std::string stripped(std::string_view text, const Arguments& a, bool left, bool right) {
  const Value given = argument(a, 0, "chars");
  const std::vector<std::string> which = given.is_text() ? characters(given.text()) : std::vector<std::string>();
  const auto goes = [&](std::string_view c) {
    return given.is_text() ? std::ranges::find(which, c) != which.end() : is_blank(c);
  };
  while (left && !text.empty() && goes(first_of(text))) text.remove_prefix(first_of(text).size());
  while (right && !text.empty() && goes(last_of(text))) text.remove_suffix(last_of(text).size());
  return std::string(text);
}

// Words between runs of blanks, cut at most `most` times; the rest stays as it is.
List words(std::string_view text, int64_t most, bool last) {
  std::vector<std::pair<size_t, size_t>> found;  // begin, end
  bool within = false;
  size_t at = 0;
  for (const std::string& c : characters(text)) {
    if (!std::exchange(within, !is_blank(c)) && within) found.emplace_back(at, at);
    at += c.size();
    if (within) found.back().second = at;
  }
  const size_t cuts = most < 0 ? found.size() : std::min(found.size(), static_cast<size_t>(most));
  const bool rest = cuts < found.size();
  List out;
  if (rest && last) out.emplace_back(std::string(text.substr(0, found[found.size() - cuts - 1].second)));
  for (size_t i = 0; i < cuts; ++i) {
    const auto& [begin, end] = found[last ? found.size() - cuts + i : i];
    out.emplace_back(std::string(text.substr(begin, end - begin)));
  }
  if (rest && !last) out.emplace_back(std::string(text.substr(found[cuts].first)));
  return out;
}

// At most `most` cuts, from the right with `last`; without a separator at runs of blanks.
List split(std::string_view text, const Arguments& a, bool last) {
  const Value by = argument(a, 0, "sep"), limit = argument(a, 1, "maxsplit");
  int64_t most = is_given(limit) ? std::max<int64_t>(-1, limit.integer("maxsplit")) : -1;
  if (!by.is_text()) return words(text, most, last);
  List out;
  const std::string& separator = by.text();
  if (separator.empty()) invalid("a string cannot be split by an empty one");
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
  const Value limit = argument(a, 2, "count");
  int64_t most = is_given(limit) ? std::max<int64_t>(-1, limit.integer("count")) : -1;
  std::string out;
  if (from.empty()) invalid("an empty string cannot be replaced");
  while (most-- != 0) {
    const size_t at = text.find(from);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at)).append(to);
    if (out.size() > size_t{16} << 20) invalid("a string grows beyond 16 megabytes when \"{}\" is replaced", from);
    text.remove_prefix(at + from.size());
  }
  return out.append(text);
}

bool any(const Value& given, const std::function<bool(const std::string&)>& fits) {
  if (given.is_text()) return fits(given.text());
  const List all = items_of(given, "what a string begins or ends with");
  return std::ranges::any_of(all, [&](const Value& one) { return one.is_text() && fits(one.text()); });
}

// At every break that Python knows, \r\n as one; none behind the last line makes an empty one.
List lines(std::string_view text, bool with_ends) {
  List out;
  while (!text.empty()) {
    size_t end = 0, n = 0;
    for (; end < text.size() && n == 0; end += n == 0) {
      const std::string_view rest = text.substr(end);
      if (rest.starts_with("\r\n"))
        n = 2;
      else if ((rest[0] >= '\n' && rest[0] <= '\r') || (rest[0] >= '\x1c' && rest[0] <= '\x1e'))
        n = 1;
      else if (rest.starts_with("\xC2\x85"))
        n = 2;
      else if (rest.starts_with("\u2028") || rest.starts_with("\u2029"))
        n = 3;
    }
    out.emplace_back(std::string(text.substr(0, with_ends ? end + n : end)));
    text.remove_prefix(end + n);
  }
  return out;
}

using Names = std::vector<std::string_view>;
template <class What>
struct Method {
  Names parameters;
  std::function<Value(const What&, const Arguments&)> call;
};
template <class What>
using Methods = std::map<std::string_view, Method<What>>;

const Methods<std::string>& of_texts() {
  using A = const Arguments&;
  using Text = const std::string&;
  static const Methods<std::string> all = {
      {"strip", {{"chars"}, [](Text t, A a) { return stripped(t, a, true, true); }}},
      {"lstrip", {{"chars"}, [](Text t, A a) { return stripped(t, a, true, false); }}},
      {"rstrip", {{"chars"}, [](Text t, A a) { return stripped(t, a, false, true); }}},
      {"upper", {{}, [](Text t, A) { return upper(t); }}},
      {"lower", {{}, [](Text t, A) { return lower(t); }}},
      {"title", {{}, [](Text t, A) { return titled(t); }}},
      {"capitalize", {{}, [](Text t, A) { return capitalized(t); }}},
      {"split", {{"sep", "maxsplit"}, [](Text t, A a) { return split(t, a, false); }}},
      {"rsplit", {{"sep", "maxsplit"}, [](Text t, A a) { return split(t, a, true); }}},
      {"splitlines", {{"keepends"}, [](Text t, A a) { return lines(t, argument(a, 0, "keepends").truth()); }}},
      {"replace", {{"old", "new", "count"}, [](Text t, A a) { return replaced(t, a); }}},
      {"startswith",
       {{"prefix"},
        [](Text t, A a) { return any(argument(a, 0, "prefix"), [&](Text s) { return t.starts_with(s); }); }}},
      {"endswith",
       {{"suffix"}, [](Text t, A a) { return any(argument(a, 0, "suffix"), [&](Text s) { return t.ends_with(s); }); }}},
      {"find",
       {{"part"},
        [](Text t, A a) {
          const size_t at = t.find(text_of(a, 0, "part"));
          if (at == std::string::npos) return int64_t{-1};
          return static_cast<int64_t>(characters(std::string_view(t).substr(0, at)).size());
        }}},
      {"join", {{"texts"}, [](Text t, A a) {
                  return filter("join", argument(a, 0, "texts"), {{Value(t)}, {}});
                }}}};
  return all;
}

const Methods<Value>& of_maps() {
  using A = const Arguments&;
  using Of = const Value&;
  static const Methods<Value> all = {{"items", {{}, [](Of map, A) { return filter("items", map, {}); }}},
                                     {"keys", {{}, [](Of map, A) { return items_of(map, ""); }}},
                                     {"values",
                                      {{},
                                       [](Of map, A) {
                                         List out;
                                         for (const auto& one : map.map()) out.push_back(one.second);
                                         return out;
                                       }}},
                                     {"get", {{"key", "default"}, [](Of map, A a) {
                                                const Value key = argument(a, 0, "key");
                                                const Value* const found =
                                                    key.is_text() ? find(map.map(), key.text()) : nullptr;
                                                return found ? *found : argument(a, 1, "default", None{});
                                              }}}};
  return all;
}

template <class What>
Value bound(const Methods<What>& all, const std::string& name, const What& what) {
  const auto found = all.find(name);
  if (found == all.end()) return Undefined{name};
  return Function([name, what, &is = found->second](const Arguments& a) {
    check_arguments(a, is.parameters, name + "()");
    return is.call(what, a);
  });
}

}  // namespace

Value method(const Value& value, const std::string& name) {
  if (value.is_text()) return bound(of_texts(), name, value.text());
  if (value.is_map()) return bound(of_maps(), name, value);
  return Undefined{name};
}

}  // namespace rgm::jinja
