// report_overview.hpp - all stages of a run at a glance.
#pragma once
#include <string>

#include "train/report_run.hpp"

namespace rgm::report {

// A table, where there are several: a column for whatever at least one of them has to say. Empty otherwise.
std::string overview(const Run& run);

}  // namespace rgm::report
