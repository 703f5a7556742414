// inspect.hpp - is a plug-in file sound? Symbols, tables, options, every callback on sense and nonsense, gradients
// against finite differences, a backend's kernels: each in a child process, so that a crash is a line of the report.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.hpp"

namespace rgm::inspect {

enum class Verdict { ok, skipped, failed };

struct Finding {
  std::string part;  // "file", or `strategy "dpo"`
  std::string step;  // "gradients"
  Verdict verdict = Verdict::ok;
  std::string text;  // what was seen, or why it is skipped
};

// All checks, in order, each told to `tell` as it ends; a check may take minutes. Throws RGM_INVALID when there is no
// such file.
std::vector<Finding> inspect(const fs::path& file, const std::function<void(const Finding&)>& tell = {});

bool all_sound(const std::vector<Finding>& findings);
// A line for people; `is_first` of its part: and a line with that.
std::string line_of(const Finding& finding, bool is_first);
std::string summary(const std::vector<Finding>& findings);

}  // namespace rgm::inspect
