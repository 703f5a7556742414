// report_details.hpp - how a stage was made, below its curves: each a piece of HTML, empty where nothing is known.
#pragma once
#include <string>

#include "train/report_run.hpp"

namespace rgm::report {

std::string result(const Json& record);
std::string report_card(const Json& record);  // of a reward that was learned
std::string timings(const Json& record);
std::string configuration(const Json& record);
std::string data(const Json& record);
std::string files(const StageRecord& stage);
std::string hashes(const Json& record);

}  // namespace rgm::report
