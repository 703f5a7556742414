// data_sources.hpp - which sources of data a stage's strategy and rewards read, and with which columns.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "pipeline/pipeline.hpp"
#include "pipeline/yaml.hpp"

namespace rgm {

using Wishes = std::vector<ColumnWish>;

// The source of questions that the policy is asked in evaluations, whatever the strategy.
inline constexpr const char* choices_source = "choices";

// What the stage's components read, source by source.
struct Sources {
  std::vector<std::string> main_names;   // the main source has one of these names
  std::string main;                      // the one in use
  std::map<std::string, Wishes> wishes;  // by source
  bool known = false;                    // false: the strategy was not found, so nothing can be said
  bool has_held_out = false;             // a validation source makes sense
  std::vector<std::string> clashes;      // of two that read one column as different things

  bool needs(const std::string& source) const;  // with a column that is not optional
  std::vector<std::string> names() const;
};

// `data` is what the pipeline gives, or NULL: the main source goes by the name that is used there.
Sources sources_of(const Stage& stage, const YamlMap* data);

}  // namespace rgm
