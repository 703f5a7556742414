// yaml.hpp - a place in a YAML tree with typed readers: what is wrong is noted with its place and reading goes on, so
// that all problems of a file come at once.
#pragma once
#include <yaml-cpp/yaml.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/problems.hpp"

namespace rgm {

// The numbers that a value may have, for the check and for the message.
struct Range {
  double min = -std::numeric_limits<double>::infinity(), max = std::numeric_limits<double>::infinity();
  bool above = false, below = false;  // without min or max itself
  bool single = false;                // computed with as float32: what that makes of a number counts

  bool has(double x) const {
    const double y = as_used(x);
    return (above ? y > min : y >= min) && (below ? y < max : y <= max) && keeps(x);
  }
  double as_used(double x) const { return single ? double(float(x)) : x; }
  // Not beyond the largest number, and not so small that nothing is left.
  bool keeps(double x) const { return std::isfinite(as_used(x)) && (as_used(x) != 0 || x == 0); }
  std::string text() const;  // "above 0 and at most 1"; nothing when all numbers are in it
};
inline constexpr Range positive{.min = 0, .above = true}, not_negative{.min = 0},
    share{.min = 0, .max = 1, .below = true}, single_positive{.min = 0, .above = true, .single = true},
    single_not_negative{.min = 0, .single = true}, single_share{.min = 0, .max = 1, .below = true, .single = true};

// Values are borrowed from the tree. Not assignable: assigning a YAML::Node changes the tree that it came from.
class Yaml {
 public:
  Yaml(const YAML::Node& node, std::string path, Problems& problems)
      : node_(node), path_(std::move(path)), problems_(&problems) {}
  Yaml(const Yaml&) = default;
  Yaml& operator=(const Yaml&) = delete;

  const YAML::Node& node() const { return node_; }
  const std::string& path() const { return path_; }  // optimizer.adamw.learning_rate
  Problems& problems() const { return *problems_; }
  bool is_map() const { return node_.IsMap(); }
  bool is_list() const { return node_.IsSequence(); }
  bool is_scalar() const { return node_.IsScalar(); }

  void problem(std::string text) const { problems_->add(node_, std::move(text)); }
  // `"steps" should be WANTED, got "many"`
  void wrong(std::string_view wanted, std::string_view end = "") const;

  // Each notes a problem and answers nothing where the value is something else.
  std::optional<std::string> text() const;
  std::optional<int64_t> integer(int64_t min, int64_t max = std::numeric_limits<int64_t>::max()) const;
  std::optional<double> number(const Range& range = {}) const;
  std::optional<bool> boolean() const;
  std::optional<std::string> choice(const std::vector<std::string>& words) const;
  // A list's elements, or the value alone: where one or several may stand.
  std::vector<Yaml> one_or_list() const;
  std::vector<std::string> texts() const;

 private:
  YAML::Node node_;
  std::string path_;
  Problems* problems_;
};

// A map whose keys are known: every key is asked for, and finish() notes those that nobody asked for.
class YamlMap {
 public:
  // `what` it is, for messages: "a stage". Notes a problem when it is no map, and then has no keys.
  YamlMap(const Yaml& yaml, std::string what);

  struct Item {
    Yaml key, value;
    std::string name;
    bool asked = false;
  };
  const Yaml& yaml() const { return yaml_; }
  std::vector<Item>& items() { return items_; }
  std::optional<Yaml> find(std::string_view key);
  bool has(std::string_view key) const;
  const Yaml& key(std::string_view key) const;  // where a given key stands; else where the map does
  // Not given, and no key looks as if it was meant: finish() will answer that one.
  bool lacks(std::string_view key) const;
  void finish();

  // True when given and right; `out` is as it was otherwise.
  bool read(std::string_view key, std::string& out);
  bool read(std::string_view key, bool& out);
  bool read(std::string_view key, int64_t& out, int64_t min, int64_t max = std::numeric_limits<int64_t>::max());
  bool read(std::string_view key, double& out, const Range& range = {});
  bool choose(std::string_view key, std::string& out, const std::vector<std::string>& words);

 private:
  Yaml yaml_;
  std::string what_;
  std::vector<Item> items_;
  std::vector<std::string> known_;
};

// `optimizer "adam" is not known`, and a near name or all there are
std::string not_known(std::string_view what, const std::string& name, const std::vector<std::string>& known);

// `id`, or `{id: {options}}`. Notes a problem where it is neither.
struct Named {
  std::string id;
  Yaml place;    // of the id
  Yaml options;  // a map, or nothing
};
std::optional<Named> read_named(const Yaml& yaml, std::string_view what);

}  // namespace rgm
