// filters_of_lists.cpp - what is mapped, chosen, joined and sorted, by the elements themselves or by a part of them.
#include <algorithm>

#include "base/error.hpp"
#include "jinja/casing.hpp"
#include "jinja/filters.hpp"

namespace rgm::jinja {
namespace {

List pieces(const std::string& text, const char* between) {
  return method(text, "split").function()({{Value(between)}, {}}).list();
}

// The part at `a.b.0`; `otherwise`, where it is given, stands for what is not there.
Value by_path(Value value, const Value& path, const Value& otherwise = {}) {
  for (const Value& name : pieces(path.shown(), ".")) {
    const std::string& text = name.text();
    const bool is_place = !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == text.npos;
    value = element(value, is_place ? Value(static_cast<int64_t>(std::stoll(text))) : name);
    if (value.is_undefined() && is_given(otherwise)) value = otherwise;
  }
  return value;
}

Value by(const Value& value, const Value& attribute) { return is_given(attribute) ? by_path(value, attribute) : value; }

// What Jinja compares: large letters as small ones, unless it is asked for.
Value without_case(const Value& value, bool case_sensitive) {
  return value.is_text() && !case_sensitive ? Value(lower(value.text())) : value;
}

void sort_by(List& all, const std::function<List(const Value&)>& keys, bool reverse) {
  std::vector<std::pair<List, Value>> keyed;
  keyed.reserve(all.size());
  for (const Value& one : all) keyed.emplace_back(keys(one), one);
  const auto comes_first = [](const auto& x, const auto& y) {
    for (size_t i = 0; i < x.first.size(); ++i)
      if (const int order = compare(x.first[i], y.first[i])) return order < 0;
    return false;
  };
  std::ranges::stable_sort(
      keyed, [&](const auto& x, const auto& y) { return reverse ? comes_first(y, x) : comes_first(x, y); });
  for (size_t i = 0; i < all.size(); ++i) all[i] = keyed[i].second;
}

}  // namespace

// `select(test)`, `selectattr(name, test, value)` and their opposites.
Value chosen(const Value& value, const Arguments& a, bool by_attribute, bool wanted) {
  const size_t first = by_attribute ? 1 : 0;
  require(a.named.empty(), "a selection has the argument \"{}\", which is not known",
          a.named.empty() ? "" : a.named[0].first);
  if (a.positional.size() < first) invalid("selectattr needs the name of an attribute");
  Arguments rest;
  for (size_t i = first + 1; i < a.positional.size(); ++i) rest.positional.push_back(a.positional[i]);
  List out;
  for (const Value& one : items_of(value, "what is selected from")) {
    const Value seen = by_attribute ? by_path(one, a.positional[0]) : one;
    const bool is = a.positional.size() > first ? test(a.positional[first].shown(), seen, rest) : seen.truth();
    if (is == wanted) out.push_back(one);
  }
  return out;
}

// `map(filter, its arguments)`, or `map(attribute=, default=)`.
Value mapped(const Value& value, const Arguments& a) {
  List out;
  if (a.positional.empty()) {
    constexpr std::string_view names[] = {"attribute", "default"};
    check_arguments(a, names, "the filter \"map\"");
    const Value path = argument(a, 0, "attribute"), otherwise = argument(a, 1, "default");
    if (!is_given(path)) invalid("map needs a filter, or an attribute");
    for (const Value& one : items_of(value, "what is mapped")) out.push_back(by_path(one, path, otherwise));
    return out;
  }
  const std::string name = a.positional[0].shown();
  if (name == "map") invalid("map by map");
  const Arguments rest{{a.positional.begin() + 1, a.positional.end()}, a.named};
  for (const Value& one : items_of(value, "what is mapped")) out.push_back(filter(name, one, rest));
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
    out += by(one, name).shown();
    if (out.size() > size_t{16} << 20) invalid("a string grows beyond 16 megabytes when it is joined");
  }
  return out;
}

// The attribute may be several, with commas between.
Value sorted(const Value& value, const Arguments& a) {
  const bool reverse = argument(a, 0, "reverse", false).truth(),
             cased = argument(a, 1, "case_sensitive", false).truth();
  const Value name = argument(a, 2, "attribute");
  const List names = name.is_text() ? pieces(name.text(), ",") : List{name};
  List all = items_of(value, "what is sorted");
  sort_by(
      all,
      [&](const Value& one) {
        List keys;
        for (const Value& each : names) keys.push_back(without_case(by(one, each), cased));
        return keys;
      },
      reverse);
  return all;
}

Value unique(const Value& value, const Arguments& a) {
  const bool cased = argument(a, 0, "case_sensitive", false).truth();
  const Value name = argument(a, 1, "attribute");
  const List all = items_of(value, "what is made unique");
  if (all.size() > 2000) invalid("unique of more than 2,000 values");
  List out, seen;
  for (const Value& one : all) {
    const Value key = without_case(by(one, name), cased);
    if (std::ranges::find(seen, key) != seen.end()) continue;
    seen.push_back(key);
    out.push_back(one);
  }
  return out;
}

Value sum(const Value& value, const Arguments& a) {
  const Value name = argument(a, 0, "attribute");
  Value out = argument(a, 1, "start", int64_t{0});
  for (const Value& one : items_of(value, "what is summed")) out = arithmetic("+", out, by(one, name));
  return out;
}

Value items(const Value& value) {
  List out;
  if (value.is_undefined()) return out;
  if (!value.is_map()) invalid("the items of {}, a map was expected", value.kind());
  for (const auto& [key, one] : value.map()) out.emplace_back(List{Value(key), one});
  return out;
}

Value dictsort(const Value& value, const Arguments& a) {
  const bool cased = argument(a, 0, "case_sensitive", false).truth(),
             reverse = argument(a, 2, "reverse", false).truth();
  const std::string side = argument(a, 1, "by", "key").shown();
  require(side == "key" || side == "value", "dictsort by \"{}\", \"key\" or \"value\" was expected", side);
  List all = items(value).list();
  sort_by(
      all, [&](const Value& pair) { return List{without_case(pair.list()[side == "value"], cased)}; }, reverse);
  return all;
}

}  // namespace rgm::jinja
