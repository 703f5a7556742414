// report.hpp - report.html of a run: self-contained, made from what lies in the run's folder (stage.json,
// metrics.jsonl), so it can be made again at any time.
#pragma once
#include <string>
#include <vector>

#include "base/file.hpp"

namespace rgm {

// Reads run.json and every <stage>/stage.json and metrics.jsonl in `folder`; writes folder/report.html.
void write_report(const fs::path& folder);

// Writes a page that has the methods of all runs side by side, stages called alike being one method with several seeds;
// answers the same as a table for a terminal. RGM_INVALID where there is nothing to compare.
std::string write_comparison(const std::vector<fs::path>& folders, const fs::path& file);

}  // namespace rgm
