// overrides.cpp - a path into the tree names stages by name; what is missing on the way becomes maps.
#include "pipeline/overrides.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "pipeline/yaml_text.hpp"

namespace rgm {
namespace {

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts(1);
  for (const char c : path) {
    if (c == '.')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

YAML::Node word_at(const YAML::Mark& place, const std::string& word) {
  YAML::Node map = YAML::Load(std::string(static_cast<size_t>(place.line), '\n') + "\"" + word + "\"");
  return map;
}

// "b.steps", where "b" is a stage and no key at the top of a pipeline.
bool begins_with_a_stage(const std::vector<std::string>& parts, const YAML::Node& root) {
  if (parts.size() < 2 || parts[0] == "backend" || !root.IsMap() || root[parts[0]]) return false;
  const YAML::Node stages = root["stages"];
  if (!stages || !stages.IsSequence()) return false;
  return std::any_of(stages.begin(), stages.end(), [&](const YAML::Node& stage) {
    return stage.IsMap() && stage["name"] && stage["name"].IsScalar() && stage["name"].Scalar() == parts[0];
  });
}

class Putter {
 public:
  Putter(const Override& what, const Citations& citations, Problems& problems, const YAML::Node& value,
         YAML::Mark place)
      : parts_(split(what.path)), citations_(citations), problems_(problems), value_(value), place_(place) {}

  // `old` with the value at the path that is left from `depth` on.
  YAML::Node put(const YAML::Node& old, size_t depth) const {
    if (depth == parts_.size()) return value_;
    if (old.IsSequence()) return depth == 1 && parts_[0] == "stages" ? put_in_stages(old) : refuse_list(old, depth);
    YAML::Node map = empty_map_at(old.IsMap() ? old.Mark() : place_);
    bool found = false;
    const bool is_last = depth + 1 == parts_.size();
    if (old.IsMap())
      for (const auto& pair : old) {
        const std::string key = pair.first.Scalar();
        if (key == parts_[depth] && !found) {
          found = true;
          map.force_insert(is_last ? word_at(place_, key) : pair.first, put(pair.second, depth + 1));
        } else if (!(gives_way(key, depth) && citations_.is_from_file(pair.first.Mark()))) {
          map.force_insert(pair.first, pair.second);
        }
      }
    if (!found) map.force_insert(word_at(place_, parts_[depth]), put(YAML::Node(), depth + 1));
    return map;
  }

 private:
  // Where one of several is given, such as steps or epochs, the command line's replaces the file's.
  bool gives_way(const std::string& key, size_t depth) const {
    const std::string& mine = parts_[depth];
    const auto are = [&](const char* a, const char* b) { return (mine == a && key == b) || (mine == b && key == a); };
    if (depth == 1) return parts_[0] == "backend";
    if (parts_[0] != "stages") return false;
    if (depth == 2) return are("steps", "epochs");
    if (depth >= 4 && parts_[depth - 1] == "best" && parts_[depth - 2] == "keep") return true;
    if (depth != 3) return false;
    if (parts_[2] == "checkpoint") return are("every", "minutes");
    if (parts_[2] == "evaluate") return are("every", "epochs");
    constexpr std::string_view named[] = {"strategy", "adapter", "optimizer", "schedule", "tokenizer", "trainable"};
    return std::count(std::begin(named), std::end(named), parts_[2]) > 0;
  }
  YAML::Node put_in_stages(const YAML::Node& stages) const {
    YAML::Node list = empty_list_at(stages.Mark());
    std::vector<std::string> names;
    bool found = false;
    for (const YAML::Node& stage : stages) {
      std::string name;
      if (stage.IsMap())
        for (const auto& pair : stage)
          if (pair.first.Scalar() == "name" && pair.second.IsScalar()) name = pair.second.Scalar();
      names.push_back(name);
      const bool here = name == parts_[1] && !found;
      found = found || here;
      list.push_back(here ? put(stage, 2) : stage);
    }
    if (!found) {
      const std::string near = did_you_mean(parts_[1], names);
      problems_.add(place_, fmt::format("there is no stage \"{}\"{}", parts_[1],
                                        near.empty() ? "; the stages: " + join(names) : near));
    }
    return list;
  }
  YAML::Node refuse_list(const YAML::Node& old, size_t depth) const {
    std::string path = parts_[0];
    for (size_t i = 1; i < depth; ++i) path += "." + parts_[i];
    problems_.add(place_, fmt::format("\"{}\" is a list: set it as a whole", path));
    return old;
  }

  std::vector<std::string> parts_;
  const Citations& citations_;
  Problems& problems_;
  YAML::Node value_;
  YAML::Mark place_;
};

}  // namespace

std::vector<Override> parse_overrides(const std::vector<std::string>& set, Problems& problems) {
  std::vector<Override> all;
  for (const std::string& one : set) {
    const size_t equals = one.find('=');
    const std::string path = one.substr(0, equals);
    const std::vector<std::string> parts = split(path);
    const auto is_odd = [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) <= ' '; };
    if (equals == std::string::npos || std::count(parts.begin(), parts.end(), "") ||
        std::any_of(path.begin(), path.end(), is_odd) || invalid_utf8(path))
      problems.add(YAML::Mark::null_mark(), fmt::format("\"{}\" should be KEY=VALUE, as in stages.base.steps=10", one));
    else
      all.push_back({"--set " + one, path, one.substr(equals + 1)});
  }
  return all;
}

int Citations::reserve(const Override& what) {
  const int line = next_;
  citations_[line] = what.cited;
  next_ += 1 + static_cast<int>(std::count(what.value.begin(), what.value.end(), '\n'));
  return line;
}

std::string Citations::text(const Problems& problems) const {
  std::string all;
  for (const Problem& p : problems.list()) {
    YAML::Mark where;
    where.line = p.line - 1;
    where.column = p.column - 1;
    const std::string place = p.line == 0 ? p.file : this->place(problems, where);
    all += fmt::format("{}{}: {}", all.empty() ? "" : "\n", place, p.text);
  }
  return all;
}

std::string Citations::place(const Problems& problems, const YAML::Mark& where) const {
  const auto after = where.is_null() ? citations_.begin() : citations_.upper_bound(where.line);
  return after != citations_.begin() ? std::prev(after)->second : problems.place(where);
}

YAML::Node with_override(const YAML::Node& root, const Override& what, Citations& citations, Problems& problems) {
  YAML::Mark place;
  place.line = citations.reserve(what);
  const size_t before = problems.size();
  YAML::Node value = parse_yaml(what.value, problems, place.line);
  if (problems.size() > before) return root;
  if (begins_with_a_stage(split(what.path), root)) {
    problems.add(place,
                 fmt::format("\"{0}\" is a stage: write --set stages.{1}", what.path.substr(0, what.path.find('.')),
                             what.cited.substr(std::string_view("--set ").size())));
    return root;
  }
  if (!value.IsDefined() || value.IsNull()) value.reset(nothing_at(place));
  return Putter(what, citations, problems, value, place).put(root, 0);
}

}  // namespace rgm
