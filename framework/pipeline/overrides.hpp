// overrides.hpp - values from the command line, `--set stages.base.steps=10`, put into the tree before it is checked.
#pragma once
#include <yaml-cpp/yaml.h>

#include <map>
#include <string>
#include <vector>

#include "plugins/problems.hpp"

namespace rgm {

struct Override {
  std::string cited;  // as it was typed: `--set stages.base.steps=10`
  std::string path, value;
};

// `K=V` as given to --set. Notes a problem where there is no `=`, no key, or an empty part in the key.
std::vector<Override> parse_overrides(const std::vector<std::string>& set, Problems& problems);

// Problems of values from the command line are cited, not placed: each value gets lines behind the end of the file.
class Citations {
 public:
  explicit Citations(int lines_of_file) : next_(lines_of_file + 1) {}
  int reserve(const Override& what);  // the line, from 0, where its value is to be read
  bool is_from_file(const YAML::Mark& mark) const {
    return citations_.empty() || mark.line < citations_.begin()->first;
  }
  // `file:line:column: text` or `--set …: text`, one a line
  std::string text(const Problems& problems) const;
  std::string place(const Problems& problems, const YAML::Mark& where) const;

 private:
  int next_;
  std::map<int, std::string> citations_;
};

// The tree with the override in it; `root` stays as it is, aliases of what is changed too.
YAML::Node with_override(const YAML::Node& root, const Override& what, Citations& citations, Problems& problems);

}  // namespace rgm
