// problems.hpp - everything that is wrong with a YAML file, collected so that all of it is reported at once.
#pragma once
#include <yaml-cpp/yaml.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace rgm {

struct Problem {
  std::string file;
  int line = 0, column = 0;  // from 1; 0 where the value has no place, as one given on the command line
  std::string text;
};

class Problems {
 public:
  // `file` is named for values that were read from it; `elsewhere` for those with no place, such as "--set".
  explicit Problems(std::string file, std::string elsewhere = "--set")
      : file_(std::move(file)), elsewhere_(std::move(elsewhere)) {}

  void add(const YAML::Mark& where, std::string text);
  void add(const YAML::Node& where, std::string text) { add(where.Mark(), std::move(text)); }
  template <class... A>
  void add(const YAML::Node& where, fmt::format_string<A...> text, A&&... args) {
    add(where.Mark(), fmt::format(text, std::forward<A>(args)...));
  }

  bool empty() const { return list_.empty(); }
  size_t size() const { return list_.size(); }
  // By place in the file.
  const std::vector<Problem>& list() const { return list_; }
  // `file:line:column: text`, one a line.
  std::string text() const;
  // Throws RGM_INVALID with text() when there are any.
  void raise() const;
  // The same form for a warning, which is no problem.
  std::string place(const YAML::Mark& where) const;

 private:
  std::string file_, elsewhere_;
  std::vector<Problem> list_;
};

}  // namespace rgm
