// report_run.hpp - what a run's folder holds, read with patience: a key or a file that is not there is just not shown.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "train/report_chart.hpp"

namespace rgm::report {

using Json = nlohmann::ordered_json;  // tables keep the order in which the run wrote

struct StageRecord {
  std::string name;
  Json record = Json::object();                         // stage.json
  std::vector<std::pair<std::string, Line>> metrics;    // over steps, in order of first appearance
  std::vector<std::pair<std::string, uint64_t>> files;  // path in the run's folder, bytes

  const Line* find(std::string_view metric) const;
};

struct Run {
  Json record = Json::object();  // run.json
  std::vector<StageRecord> stages;
};

Run read_run(const fs::path& folder);

// The value under `keys`, one within the other; null where any is missing.
const Json& get(const Json& from, std::initializer_list<const char*> keys);
double real(const Json& from, std::initializer_list<const char*> keys);       // NaN where it is missing
std::string text(const Json& from, std::initializer_list<const char*> keys);  // empty where it is missing

}  // namespace rgm::report
