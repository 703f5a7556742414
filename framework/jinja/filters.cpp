// filters.cpp - Jinja's filters and tests, those that chat templates use.
#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"
#include "jinja/value.hpp"

namespace rgm::jinja {
namespace {

using Json = nlohmann::ordered_json;

Value argument(const Arguments& all, size_t i, const char* name, const Value& otherwise = Value()) {
  if (i < all.positional.size()) return all.positional[i];
  const Value* const named = find(all.named, name);
  return named ? *named : otherwise;
}

// As Python's json.dumps writes it: ", " and ": " between, on one line without `indent`.
void dump(const Json& json, int64_t indent, int64_t depth, std::string& out) {
  const auto line = [&](int64_t d) {
    if (indent >= 0) out += '\n', out.append(static_cast<size_t>(indent * d), ' ');
  };
  if (!json.is_structured() || json.empty()) {
    out += json.dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  out += json.is_array() ? '[' : '{';
  bool first = true;
  for (const auto& [key, value] : json.items()) {
    if (!first) out += indent >= 0 ? "," : ", ";
    first = false;
    if (out.size() > size_t{16} << 20) invalid("a text grows beyond 16 megabytes where it is made JSON");
    line(depth + 1);
    if (json.is_object()) out += Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
    dump(value, indent, depth + 1, out);
  }
  line(depth);
  out += json.is_array() ? ']' : '}';
}

Value to_json_text(const Value& value, const Arguments& a) {
  const Value indent = argument(a, 0, "indent", None{});
  const int64_t n = indent.is_none() ? -1 : indent.integer("tojson's indent");
  if (n > 100) invalid("an indent of {}, at most 100 was expected", n);
  std::string out;
  dump(to_json(value), n, 0, out);
  return out;
}

List pieces(const std::string& text, const char* between) {
  return method(text, "split").function()({{Value(between)}, {}}).list();
}

Value by_path(Value value, const std::string& path) {
  for (const Value& name : pieces(path, ".")) value = attribute(value, name.text());
  return value;
}

// `select(test)`, `selectattr(name, test, value)` and their opposites.
Value chosen(const Value& value, const Arguments& a, bool by_attribute, bool wanted) {
  const size_t first = by_attribute ? 1 : 0;
  if (a.positional.size() < first) invalid("selectattr needs the name of an attribute");
  Arguments rest;
  for (size_t i = first + 1; i < a.positional.size(); ++i) rest.positional.push_back(a.positional[i]);
  List out;
  for (const Value& one : items_of(value, "what is selected from")) {
    const Value seen = by_attribute ? by_path(one, a.positional[0].shown()) : one;
    const bool is = a.positional.size() > first ? test(a.positional[first].shown(), seen, rest) : seen.truth();
    if (is == wanted) out.push_back(one);
  }
  return out;
}

Value mapped(const Value& value, const Arguments& a) {
  const Value name = argument(a, 1, "attribute");
  Arguments rest;
  for (size_t i = 1; i < a.positional.size(); ++i) rest.positional.push_back(a.positional[i]);
  List out;
  for (const Value& one : items_of(value, "what is mapped")) {
    if (a.positional.empty() && name.is_text())
      out.push_back(by_path(one, name.text()));
    else if (argument(a, 0, "filter").shown() == "map")
      invalid("map by map");
    else
      out.push_back(filter(argument(a, 0, "filter").shown(), one, rest));
  }
  return out;
}

Value joined(const Value& value, const Arguments& a) {
  const std::string between = argument(a, 0, "d", "").shown();
  const Value name = argument(a, 1, "attribute");
  std::string out;
  bool first = true;
  for (const Value& one : items_of(value, "what is joined")) {
    if (!first) out += between;
    first = false;
    out += (name.is_text() ? by_path(one, name.text()) : one).shown();
    if (out.size() > size_t{16} << 20) invalid("a text grows beyond 16 megabytes where it is joined");
  }
  return out;
}

Value indented(const std::string& text, const Arguments& a) {
  const Value width = argument(a, 0, "width", int64_t{4});
  const int64_t spaces = width.is_text() ? 0 : width.integer("an indent");
  if (spaces < 0 || spaces > 100) invalid("an indent of {}, 0 to 100 were expected", spaces);
  const std::string front = width.is_text() ? width.text() : std::string(static_cast<size_t>(spaces), ' ');
  const bool first = argument(a, 1, "first", false).truth(), empty = argument(a, 2, "blank", false).truth();
  std::string out;
  bool is_first = true;
  for (const Value& line : pieces(text, "\n")) {
    if (!is_first) out += '\n';
    if ((first || !is_first) && (empty || !line.text().empty())) out += front;
    out += line.text();
    is_first = false;
  }
  return out;
}

Value sorted(const Value& value, const Arguments& a) {
  List all = items_of(value, "what is sorted");
  const Value name = argument(a, 2, "attribute");
  const auto key = [&](const Value& v) {
    const Value own = name.is_text() ? by_path(v, name.text()) : v;
    return own.is_text() ? method(own, "lower").function()({}) : own;
  };
  std::ranges::stable_sort(all, [&](const Value& x, const Value& y) { return compare(key(x), key(y)) < 0; });
  if (argument(a, 0, "reverse", false).truth()) std::ranges::reverse(all);
  return all;
}

Value items(const Value& value) {
  List out;
  if (value.is_undefined()) return out;
  if (!value.is_map()) invalid("the items of {}, a map was expected", value.kind());
  for (const auto& [key, one] : value.map()) out.emplace_back(List{Value(key), one});
  return out;
}

Value by_key(List all) {
  const auto key = [](const Value& pair) { return method(pair.list()[0], "lower").function()({}).text(); };
  std::ranges::stable_sort(all, {}, key);
  return all;
}

int64_t length(const Value& value) {
  if (value.is_text())
    return std::ranges::count_if(value.text(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return static_cast<int64_t>(value.is_list() ? value.list().size() : items_of(value, "what has a length").size());
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

Value whole(const Value& value) {
  if (value.is_text()) {
    try {
      return static_cast<int64_t>(std::stoll(value.text()));
    } catch (const std::exception&) {
      return int64_t{0};
    }
  }
  const double x = value.number("what is made an int");
  return std::abs(x) < 9e18 ? static_cast<int64_t>(x) : int64_t{0};
}

}  // namespace

Value filter(const std::string& name, const Value& value, const Arguments& a) {
  if (name == "tojson") return to_json_text(value, a);
  if (name == "length" || name == "count") return length(value);
  if (name == "join") return joined(value, a);
  if (name == "items") return items(value);
  if (name == "dictsort") return by_key(items(value).list());
  if (name == "list") return items_of(value, "what is made a list");
  if (name == "string") return value.shown();
  if (name == "safe") return value;
  if (name == "int") return whole(value);
  if (name == "float") return value.is_text() ? std::strtod(value.text().c_str(), nullptr) : value.number("a float");
  if (name == "default" || name == "d") {
    const bool by_truth = argument(a, 1, "boolean", false).truth();
    return value.is_undefined() || (by_truth && !value.truth()) ? argument(a, 0, "default_value", "") : value;
  }
  if (name == "map") return mapped(value, a);
  if (name == "select" || name == "reject") return chosen(value, a, false, name == "select");
  if (name == "selectattr" || name == "rejectattr") return chosen(value, a, true, name == "selectattr");
  if (name == "sort") return sorted(value, a);
  if (name == "unique") {
    List out;
    if (length(value) > 2000) invalid("unique of more than 2,000 values");
    for (const Value& one : items_of(value, "what is made unique"))
      if (std::ranges::find(out, one) == out.end()) out.push_back(one);
    return out;
  }
  if (name == "first") return element(items_of(value, "what has a first"), int64_t{0});
  if (name == "last") return element(items_of(value, "what has a last"), int64_t{-1});
  if (name == "reverse") return slice(value.is_map() ? Value(items_of(value, "")) : value, {}, {}, int64_t{-1});
  if (name == "abs")
    return value.is_integer() && value.integer("") < 0 ? arithmetic("-", int64_t{0}, value)
           : value.is_integer()                        ? value
                                                       : Value(std::abs(value.number("abs")));
  if (name == "sum") {
    Value out = int64_t{0};
    for (const Value& one : items_of(value, "what is summed")) out = arithmetic("+", out, one);
    return out;
  }
  // Of texts.
  const std::string text = value.shown();
  if (name == "trim") return method(text, "strip").function()(a);
  if (name == "indent") return indented(text, a);
  if (name == "escape" || name == "e") return escaped(text);
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize" || name == "replace" ||
      name == "split")
    return method(text, name).function()(a);
  invalid("the filter \"{}\" is not known", name);
}

bool test(const std::string& name, const Value& value, const Arguments& a) {
  const auto other = [&] { return argument(a, 0, "other"); };
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "boolean") return value.is_boolean();
  if (name == "true") return value.is_boolean() && value.truth();
  if (name == "false") return value.is_boolean() && !value.truth();
  if (name == "string") return value.is_text();
  if (name == "number") return value.is_number() || value.is_boolean();
  if (name == "integer") return value.is_integer();
  if (name == "float") return value.is_number() && !value.is_integer();
  if (name == "mapping") return value.is_map();
  if (name == "sequence") return value.is_list() || value.is_text() || value.is_map();
  if (name == "iterable") return value.is_list() || value.is_text() || value.is_map() || value.is_undefined();
  if (name == "callable") return value.is_function();
  if (name == "odd" || name == "even") return (value.integer(name) % 2 != 0) == (name == "odd");
  if (name == "divisibleby") return arithmetic("%", value, other()) == Value(int64_t{0});
  if (name == "in") return contains(other(), value);
  if (name == "eq" || name == "equalto" || name == "==" || name == "sameas") return value == other();
  if (name == "ne" || name == "!=") return !(value == other());
  if (name == "gt" || name == ">" || name == "greaterthan") return compare(value, other()) > 0;
  if (name == "ge" || name == ">=") return compare(value, other()) >= 0;
  if (name == "lt" || name == "<" || name == "lessthan") return compare(value, other()) < 0;
  if (name == "le" || name == "<=") return compare(value, other()) <= 0;
  invalid("the test \"{}\" is not known", name);
}

}  // namespace rgm::jinja
