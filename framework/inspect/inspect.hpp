// inspect.hpp - is a plug-in file sound? Symbols, tables, options, every callback on sense and nonsense, gradients
// against finite differences, a backend's kernels: each in a child process, so that a crash is a line of the report.
#pragma once
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

// All checks, in order. Throws RGM_INVALID when there is no such file.
std::vector<Finding> inspect(const fs::path& file);

bool all_sound(const std::vector<Finding>& findings);
// A page for people.
std::string report(const fs::path& file, const std::vector<Finding>& findings);

}  // namespace rgm::inspect
