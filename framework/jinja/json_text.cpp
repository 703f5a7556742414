// json_text.cpp - the filter tojson: what Python's json.dumps writes, with letters as they are unless asked for.
#include <algorithm>

#include "base/error.hpp"
#include "jinja/filters.hpp"

namespace rgm::jinja {
namespace {

using Json = nlohmann::ordered_json;

struct Layout {
  bool ascii = false, sorted = false, lines = false;
  std::string indent{}, between = ", ", behind_key = ": ";
};

void dump(const Json& json, const Layout& layout, size_t depth, std::string& out) {
  const auto scalar = [&](const Json& one) { return one.dump(-1, ' ', layout.ascii, Json::error_handler_t::replace); };
  const auto line = [&](size_t d) {
    if (layout.lines) out += '\n';
    for (size_t i = 0; i < d; ++i) out += layout.indent;
  };
  if (!json.is_structured() || json.empty()) {
    out += scalar(json);
    return;
  }
  std::vector<std::pair<std::string, const Json*>> parts;
  for (const auto& [key, value] : json.items()) parts.emplace_back(json.is_object() ? key : "", &value);
  if (layout.sorted) std::ranges::stable_sort(parts, {}, [](const auto& part) { return part.first; });
  out += json.is_array() ? '[' : '{';
  for (const auto& [key, value] : parts) {
    if (value != parts[0].second) out += layout.between;
    if (out.size() > size_t{16} << 20) invalid("a string grows beyond 16 megabytes when it is made JSON");
    line(depth + 1);
    if (json.is_object()) out += scalar(key) + layout.behind_key;
    dump(*value, layout, depth + 1, out);
  }
  line(depth);
  out += json.is_array() ? ']' : '}';
}

}  // namespace

Value json_text(const Value& value, const Arguments& a) {
  Layout layout{.ascii = argument(a, 0, "ensure_ascii", false).truth(),
                .sorted = argument(a, 3, "sort_keys", false).truth()};
  const Value indent = argument(a, 1, "indent"), separators = argument(a, 2, "separators");
  if (is_given(indent)) {
    const int64_t n = indent.is_text() ? 0 : std::max<int64_t>(0, indent.integer("tojson's indent"));
    if (n > 100) invalid("an indent of {}, at most 100 was expected", n);
    layout.lines = true;
    layout.indent = indent.is_text() ? indent.text() : std::string(static_cast<size_t>(n), ' ');
    layout.between = ",";
  }
  if (is_given(separators)) {
    const List two = items_of(separators, "tojson's separators");
    require(two.size() == 2 && two[0].is_text() && two[1].is_text(),
            "tojson's separators are {}, two strings were expected, as in (',', ':')", separators.quoted());
    layout.between = two[0].text(), layout.behind_key = two[1].text();
  }
  std::string out;
  dump(to_json(value), layout, 0, out);
  return out;
}

}  // namespace rgm::jinja
