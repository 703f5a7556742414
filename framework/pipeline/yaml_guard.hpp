// yaml_guard.hpp - watches YAML as a stream of events, before a tree is made of it: how deep, how large with aliases
// written out, whether it holds itself, and which keys are given twice.
#pragma once
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "pipeline/yaml_text.hpp"

namespace rgm {

struct YamlStop {};  // thrown after it was said what is wrong: nothing more can be read

class YamlGuard : public YAML::EventHandler {
 public:
  explicit YamlGuard(Problems& problems) : problems_(problems) {}

  // A key that is no word.
  const std::optional<YAML::Mark>& odd_key() const { return odd_key_; }
  const YAML::Mark& beginning() const { return begin_; }

  void OnDocumentStart(const YAML::Mark& mark) override { begin_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf(mark, anchor, nullptr); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string& text) override {
    leaf(mark, anchor, &text);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto size = sizes_.find(anchor);
    if (size == sizes_.end()) stop(mark, "an alias is inside what it stands for, which would never end");
    begin(mark, nullptr);
    count(mark, size->second);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, anchor, false);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, anchor, true);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    bool map, key_is_next;
    YAML::anchor_t anchor;
    size_t size_before;
    std::map<std::string, YAML::Mark> keys;
  };

  [[noreturn]] void stop(const YAML::Mark& mark, std::string text) {
    problems_.add(mark, std::move(text));
    throw YamlStop();
  }
  void count(const YAML::Mark& mark, size_t nodes) {
    size_ += nodes;
    if (size_ > yaml_most_nodes)
      stop(mark, fmt::format("more than {} values, with aliases written out: a pipeline is far smaller",
                             count_for_people(yaml_most_nodes)));
  }
  // What a node is for the map around it: a key, or the value of the last one.
  void begin(const YAML::Mark& mark, const std::string* text) {
    if (levels_.empty() || !levels_.back().map) return;
    Level& level = levels_.back();
    if (level.key_is_next) {
      level.key_is_next = false;
      // broken brackets look like this too, so the parser may have more to say
      if (!text) {
        if (!odd_key_) odd_key_ = mark;
        return;
      }
      const auto [first, is_new] = level.keys.emplace(*text, mark);
      if (!is_new)
        problems_.add(mark, fmt::format("key \"{}\" is given twice, first in line {}", *text, first->second.line + 1));
    } else {
      level.key_is_next = true;
    }
  }
  void leaf(const YAML::Mark& mark, YAML::anchor_t anchor, const std::string* text) {
    begin(mark, text);
    count(mark, 1);
    if (anchor) sizes_[anchor] = 1;
  }
  void open(const YAML::Mark& mark, YAML::anchor_t anchor, bool map) {
    begin(mark, nullptr);
    if (levels_.size() >= yaml_most_depth)
      stop(mark, fmt::format("nested more than {} levels deep: a pipeline needs about six", yaml_most_depth));
    count(mark, 1);
    levels_.push_back({map, map, anchor, size_ - 1, {}});
  }
  void close() {
    if (levels_.back().anchor) sizes_[levels_.back().anchor] = size_ - levels_.back().size_before;
    levels_.pop_back();
  }

  Problems& problems_;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, size_t> sizes_;  // of what has ended: an alias to anything else would hold itself
  size_t size_ = 0;
  std::optional<YAML::Mark> odd_key_;
  YAML::Mark begin_;
};

}  // namespace rgm
