// filters.cpp - Jinja's filters, those that chat templates use, and the arguments that each takes.
#include "jinja/filters.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "base/error.hpp"
#include "jinja/casing.hpp"

namespace rgm::jinja {
namespace {

// Every line but the first, as Jinja does it: an empty one stays empty unless `blank` is given.
Value indented(const std::string& text, const Arguments& a) {
  const Value width = argument(a, 0, "width", int64_t{4});
  const int64_t spaces = width.is_text() ? 0 : width.integer("an indent");
  if (spaces < 0 || spaces > 100) invalid("an indent of {}, 0 to 100 were expected", spaces);
  const std::string front = width.is_text() ? width.text() : std::string(static_cast<size_t>(spaces), ' ');
  const bool first = argument(a, 1, "first", false).truth(), empty = argument(a, 2, "blank", false).truth();
  std::string out = first ? front : "";
  bool is_first = true;
  const Value lines = method(text + "\n", "splitlines").function()({});
  for (const Value& line : lines.list()) {
    if (!is_first) out += '\n';
    if (!is_first && (empty || !line.text().empty())) out += front;
    out += line.text();
    is_first = false;
  }
  return out;
}

int64_t length(const Value& value) {
  if (value.is_text())
    return std::ranges::count_if(value.text(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  if (value.is_list()) return static_cast<int64_t>(value.list().size());
  return static_cast<int64_t>(value.is_map() ? value.map().size() : items_of(value, "what has a length").size());
}

Value escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '\'')
      out += "&#39;";
    else if (c == '"')
      out += "&#34;";
    else
      out += c;
  }
  return out;
}

// The whole of a text as a number; nothing where it is none.
std::optional<double> real(const Value& value) {
  if (!value.is_text()) return value.is_none() ? std::nullopt : std::optional(value.number("what is made a number"));
  const std::string text = method(value, "strip").function()({}).text();
  double out = 0;
  const auto [end, error] = std::from_chars(text.data() + text.starts_with('+'), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

Value whole(const Value& value, const Arguments& a) {
  const Value otherwise = argument(a, 0, "default", int64_t{0});
  const int64_t base = argument(a, 1, "base", int64_t{10}).integer("int's base");
  if (base < 2 || base > 36) invalid("int with the base {}, 2 to 36 were expected", base);
  if (value.is_integer()) return value;
  if (value.is_text()) {
    std::string text = method(lower(value.text()), "strip").function()({}).text();
    const std::string_view prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "+";
    if (text.starts_with(prefix)) text.erase(0, prefix.size());
    int64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, static_cast<int>(base));
    if (error == std::errc() && end == text.data() + text.size()) return out;
  }
  const auto x = real(value);  // so that "42.23" is 42
  return x && std::abs(*x) < 9e18 ? Value(static_cast<int64_t>(*x)) : otherwise;
}

Value absolute(const Value& value) {
  if (!value.is_integer()) return std::abs(value.number("abs"));
  return value.integer("") < 0 ? arithmetic("-", int64_t{0}, value) : value;
}

// Costs the same however much lies between the ends.
Value end_of(const Value& value, bool last) {
  if (value.is_text() && !value.text().empty())
    return std::string(last ? last_of(value.text()) : first_of(value.text()));
  if (value.is_map() && !value.map().empty()) return (last ? value.map().back() : value.map().front()).first;
  return element(value.is_list() ? value : Value(items_of(value, "what has a first or last")), int64_t{last ? -1 : 0});
}

struct Filter {
  std::vector<std::string_view> parameters;
  std::function<Value(const Value&, const Arguments&)> call;
};

// A method of texts under the same name, or another.
std::function<Value(const Value&, const Arguments&)> of_text(const char* name) {
  return [name](const Value& v, const Arguments& a) { return method(v.shown(), name).function()(a); };
}

const std::map<std::string_view, Filter>& filters() {
  using V = const Value&;
  using A = const Arguments&;
  const Filter length_of = {{}, [](V v, A) { return length(v); }},
               escape = {{}, [](V v, A) { return escaped(v.shown()); }};
  const Filter default_of = {{"default_value", "boolean"}, [](V v, A a) {
                               const bool by_truth = argument(a, 1, "boolean", false).truth();
                               const bool stands = !v.is_undefined() && (!by_truth || v.truth());
                               return stands ? v : argument(a, 0, "default_value", "");
                             }};
  static const std::map<std::string_view, Filter> all = {
      {"tojson", {{"ensure_ascii", "indent", "separators", "sort_keys"}, json_text}},
      {"length", length_of},
      {"count", length_of},
      {"join", {{"d", "attribute"}, joined}},
      {"items", {{}, [](V v, A) { return items(v); }}},
      {"dictsort", {{"case_sensitive", "by", "reverse"}, dictsort}},
      {"list", {{}, [](V v, A) { return items_of(v, "what is made a list"); }}},
      {"string", {{}, [](V v, A) { return v.shown(); }}},
      {"safe", {{}, [](V v, A) { return v; }}},
      {"int", {{"default", "base"}, whole}},
      {"float",
       {{"default"},
        [](V v, A a) {
          const auto x = real(v);
          return x ? Value(*x) : argument(a, 0, "default", 0.0);
        }}},
      {"default", default_of},
      {"d", default_of},
      {"sort", {{"reverse", "case_sensitive", "attribute"}, sorted}},
      {"unique", {{"case_sensitive", "attribute"}, unique}},
      {"sum", {{"attribute", "start"}, sum}},
      {"first", {{}, [](V v, A) { return end_of(v, false); }}},
      {"last", {{}, [](V v, A) { return end_of(v, true); }}},
      {"reverse", {{}, [](V v, A) { return slice(v.is_map() ? Value(items_of(v, "")) : v, {}, {}, int64_t{-1}); }}},
      {"abs", {{}, [](V v, A) { return absolute(v); }}},
      {"trim", {{"chars"}, of_text("strip")}},
      {"indent", {{"width", "first", "blank"}, [](V v, A a) { return indented(v.shown(), a); }}},
      {"escape", escape},
      {"e", escape},
      {"upper", {{}, of_text("upper")}},
      {"lower", {{}, of_text("lower")}},
      {"title", {{}, [](V v, A) { return title_of(v.shown()); }}},
      {"capitalize", {{}, of_text("capitalize")}},
      {"replace", {{"old", "new", "count"}, of_text("replace")}},
      {"split", {{"sep", "maxsplit"}, of_text("split")}}};
  return all;
}

}  // namespace

bool is_shallow(std::string_view filter) {
  constexpr std::string_view all[] = {"count", "d", "default", "first", "last", "length", "safe"};
  return std::ranges::find(all, filter) != std::end(all);
}

Value filter(const std::string& name, const Value& value, const Arguments& a) {
  // What these take depends on the filter or test that they name.
  if (name == "map") return mapped(value, a);
  if (name == "select" || name == "reject") return chosen(value, a, false, name == "select");
  if (name == "selectattr" || name == "rejectattr") return chosen(value, a, true, name == "selectattr");
  const auto found = filters().find(name);
  if (found == filters().end()) invalid("the filter \"{}\" is not known", name);
  check_arguments(a, found->second.parameters, fmt::format("the filter \"{}\"", name));
  return found->second.call(value, a);
}

}  // namespace rgm::jinja
