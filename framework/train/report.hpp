// report.hpp - report.html of a run: self-contained, made from what lies in the run's folder (stage.json,
// metrics.jsonl), so it can be made again at any time.
#pragma once
#include "base/file.hpp"

namespace rgm {

// Reads run.json and every <stage>/stage.json and metrics.jsonl in `folder`; writes folder/report.html.
void write_report(const fs::path& folder);

}  // namespace rgm
