// yaml.cpp - typed readers over a YAML tree, and what they say when the type is another.
#include "pipeline/yaml.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.hpp"
#include "pipeline/asked.hpp"
#include "pipeline/foreign_names.hpp"
#include "pipeline/yaml_text.hpp"

namespace rgm {
namespace {

std::string shown(const YAML::Node& node) {
  if (!node.IsDefined() || node.IsNull()) return "nothing";
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a map";
  const std::string text = node.Scalar().size() > 60 ? node.Scalar().substr(0, 57) + "..." : node.Scalar();
  return node.Tag() == "!" ? fmt::format("the text \"{}\"", text) : fmt::format("\"{}\"", text);
}

// What is written there, for those who have begun with a value alone.
std::string_view example_of(std::string_view what) {
  if (what == "a model") return "{from: STAGE or FOLDER} or {family: …} with sizes";
  if (what == "data") return "{train: {FORMAT: FILE}}";
  if (what == "a source of data") return "{FORMAT: FILE}";
  if (what == "checkpoint") return "{every: steps}";
  if (what == "sample") return "{prompt: TEXT}";
  return "{key: value}";
}

// The whole of a plain scalar as a number; a quoted one is a text, whatever is in it.
template <class Number>
std::optional<Number> parsed(const YAML::Node& node) {
  if (!node.IsScalar() || node.Tag() == "!") return std::nullopt;
  std::string_view text = node.Scalar();
  if (text.starts_with('+')) text.remove_prefix(1);
  Number out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(double(out))) return std::nullopt;
  return out;
}

}  // namespace

std::string Range::text() const {
  const bool low = std::isfinite(min), high = std::isfinite(max);
  const std::string from = low ? fmt::format("{} {}", above ? "above" : "at least", min) : "";
  const std::string to = high ? fmt::format("{} {}", below ? "below" : "at most", max) : "";
  return from + (low && high ? " and " : "") + to;
}

void Yaml::wrong(std::string_view wanted, std::string_view end) const {
  problem(fmt::format("\"{}\" should be {}, got {}{}", path_, wanted, shown(node_), end));
}

std::optional<std::string> Yaml::text() const {
  if (node_.IsScalar()) return node_.Scalar();
  wrong("text");
  return std::nullopt;
}

std::optional<int64_t> Yaml::integer(int64_t min, int64_t max) const {
  constexpr int64_t most = int64_t{1} << 53;
  const auto x = parsed<double>(node_);
  const auto digits = parsed<int64_t>(node_);  // of which a double may lose the last
  const bool too_large = x && (std::fabs(*x) > double(most) || (digits && (*digits > most || *digits < -most)));
  const bool open = max == std::numeric_limits<int64_t>::max();
  const std::string range = open ? fmt::format("at least {}", min) : fmt::format("{} to {}", min, max);
  // 2e3 is 2000 to whoever writes it; beyond 2^53 a double could mean its neighbour
  if (!x || *x != std::floor(*x) || too_large) {
    wrong("a whole number, " + range + (too_large && *x > 0 ? " and at most 9007199254740992" : ""));
    return std::nullopt;
  }
  const auto n = static_cast<int64_t>(*x);
  if (n >= min && n <= max) return n;
  problem(fmt::format("\"{}\" is {}, should be {}", path_, n, range));
  return std::nullopt;
}

std::optional<double> Yaml::number(const Range& range) const {
  const auto x = parsed<double>(node_);
  if (!x) {
    wrong(range.text().empty() ? "a number" : "a number, " + range.text());
    return std::nullopt;
  }
  if (range.has(*x)) return x;
  const double used = range.as_used(*x);
  Range written = range;
  written.single = false;
  if (!written.has(*x))
    problem(fmt::format("\"{}\" is {}, should be {}", path_, node_.Scalar(), range.text()));
  else
    problem(fmt::format("\"{}\" is {}, which is {} in float32, should be {}", path_, node_.Scalar(), used,
                        std::isinf(used)            ? "at most 3.4e38"
                        : used == 0 && !range.above ? "0 or at least 1.4e-45"
                                                    : range.text()));
  return std::nullopt;
}

std::optional<bool> Yaml::boolean() const {
  bool out = false;
  if (node_.IsScalar() && node_.Tag() != "!" && YAML::convert<bool>::decode(node_, out)) return out;
  wrong("true or false");
  return std::nullopt;
}

std::optional<std::string> Yaml::choice(const std::vector<std::string>& words) const {
  const std::string text = node_.IsScalar() ? node_.Scalar() : "";
  if (std::count(words.begin(), words.end(), text)) return text;
  wrong(words.size() == 1 ? words[0] : "one of " + join(words), did_you_mean(text, words));
  return std::nullopt;
}

std::vector<Yaml> Yaml::one_or_list() const {
  if (!node_.IsSequence()) return {*this};
  std::vector<Yaml> all;
  for (const YAML::Node& n : node_) all.emplace_back(n, fmt::format("{}[{}]", path_, all.size()), *problems_);
  return all;
}

std::vector<std::string> Yaml::texts() const {
  std::vector<std::string> all;
  for (const Yaml& one : one_or_list())
    if (auto text = one.text()) all.push_back(std::move(*text));
  return all;
}

YamlMap::YamlMap(const Yaml& yaml, std::string what) : yaml_(yaml), what_(std::move(what)) {
  if (!yaml.is_map()) {
    const std::string name = yaml.path().empty() ? what_ : fmt::format("\"{}\"", yaml.path());
    yaml.problem(fmt::format("{} should be a map, {}, got {}", name, example_of(what_), shown(yaml.node())));
    return;
  }
  for (const auto& pair : yaml.node()) {
    const std::string name = pair.first.Scalar();
    const std::string path = yaml.path().empty() ? name : yaml.path() + "." + name;
    if (has(name)) continue;  // given twice, which was said when it was read
    // the place of nothing is where the next thing begins: the key is what to look at
    const YAML::Node value = pair.second.IsNull() ? nothing_at(pair.first.Mark()) : pair.second;
    items_.push_back({Yaml(pair.first, path, yaml.problems()), Yaml(value, path, yaml.problems()), name});
  }
}

std::optional<Yaml> YamlMap::find(std::string_view key) {
  if (!std::count(known_.begin(), known_.end(), key)) known_.emplace_back(key);
  note_asked(what_, key, {});
  for (Item& item : items_)
    if (item.name == key) {
      item.asked = true;
      return item.value;
    }
  return std::nullopt;
}

bool YamlMap::has(std::string_view key) const {
  return std::any_of(items_.begin(), items_.end(), [&](const Item& i) { return i.name == key; });
}

const Yaml& YamlMap::key(std::string_view key) const {
  for (const Item& item : items_)
    if (item.name == key) return item.key;
  return yaml_;
}

bool YamlMap::lacks(std::string_view key) const {
  const std::vector<std::string> wanted = {std::string(key)};
  const std::string quoted = fmt::format("\"{}\"", key);
  return std::none_of(items_.begin(), items_.end(), [&](const Item& item) {
    const bool answers = answer_to_foreign_name(what_, item.name, wanted).find(quoted) != std::string::npos;
    return item.name == key || (!item.asked && (answers || near_name(item.name, wanted)));
  });
}

void YamlMap::finish() {
  for (const Item& item : items_)
    if (!item.asked) {
      const std::string near = did_you_mean(item.name, known_);
      const std::string answer = answer_to_foreign_name(what_, item.name, known_);
      item.key.problem(fmt::format("unknown key \"{}\" in {}{}", item.name, what_,
                                   !answer.empty() ? ": " + answer
                                   : !near.empty() ? near
                                                   : "; it has: " + join(known_)));
    }
}

bool YamlMap::read(std::string_view key, std::string& out) {
  const auto value = find(key);
  note_asked(what_, key, {Asked::Type::text});
  const auto got = value ? value->text() : std::nullopt;
  if (got) out = *got;
  return got.has_value();
}
bool YamlMap::read(std::string_view key, bool& out) {
  const auto value = find(key);
  note_asked(what_, key, {Asked::Type::boolean});
  const auto got = value ? value->boolean() : std::nullopt;
  if (got) out = *got;
  return got.has_value();
}
bool YamlMap::read(std::string_view key, int64_t& out, int64_t min, int64_t max) {
  const auto value = find(key);
  const bool open = max == std::numeric_limits<int64_t>::max();
  note_asked(what_, key, {Asked::Type::integer, {.min = double(min), .max = open ? Range().max : double(max)}});
  const auto got = value ? value->integer(min, max) : std::nullopt;
  if (got) out = *got;
  return got.has_value();
}
bool YamlMap::read(std::string_view key, double& out, const Range& range) {
  const auto value = find(key);
  note_asked(what_, key, {Asked::Type::number, range});
  const auto got = value ? value->number(range) : std::nullopt;
  if (got) out = *got;
  return got.has_value();
}
bool YamlMap::choose(std::string_view key, std::string& out, const std::vector<std::string>& words) {
  const auto value = find(key);
  note_asked(what_, key, {Asked::Type::choice, {}, words});
  const auto got = value ? value->choice(words) : std::nullopt;
  if (got) out = *got;
  return got.has_value();
}

std::string not_known(std::string_view what, const std::string& name, const std::vector<std::string>& known) {
  note_ids(what, known);
  const std::string near = did_you_mean(name, known);
  return fmt::format("{} \"{}\" is not known{}", what, name, near.empty() ? "; there are: " + join(known) : near);
}

std::optional<Named> read_named(const Yaml& yaml, std::string_view what) {
  const YAML::Node& node = yaml.node();
  if (yaml.is_scalar() && !node.Scalar().empty())
    return Named{node.Scalar(), yaml, Yaml(nothing_at(node.Mark()), yaml.path(), yaml.problems())};
  if (!yaml.is_map() || node.size() != 1) {
    yaml.problem(fmt::format("\"{}\" should be one {}, as `id` or `{{id: {{options}}}}`, got {}", yaml.path(), what,
                             node.IsMap() ? fmt::format("a map of {}", node.size()) : shown(node)));
    return std::nullopt;
  }
  const auto pair = *node.begin();
  const std::string id = pair.first.Scalar(), path = yaml.path() + "." + id;
  return Named{id, Yaml(pair.first, path, yaml.problems()), Yaml(pair.second, path, yaml.problems())};
}

}  // namespace rgm
