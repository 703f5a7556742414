// report_run.cpp - reads run.json, stage.json and metrics.jsonl.
#include "train/report_run.hpp"

#include <algorithm>
#include <cmath>

#include "base/json.hpp"
#include "base/log.hpp"

namespace rgm::report {

namespace {

Json read_object(const fs::path& path) {
  if (!fs::exists(path)) return Json::object();
  Json out = json_or_discarded(read_file(path));
  if (out.is_object()) return out;
  log::warning("{}: is not a JSON object; the report leaves it out", path.string());
  return Json::object();
}

Line& metric(StageRecord& stage, const std::string& name) {
  for (auto& [known, line] : stage.metrics)
    if (known == name) return line;
  return stage.metrics.emplace_back(name, Line{}).second;
}

void read_metrics(const fs::path& path, StageRecord& stage) {
  if (!fs::exists(path)) return;
  const std::string all = read_file(path);
  for (size_t begin = 0, end; begin < all.size(); begin = end + 1) {
    end = std::min(all.find('\n', begin), all.size());
    const Json line = json_or_discarded(std::string_view(all).substr(begin, end - begin));
    const double step = real(line, {"step"});
    if (!std::isfinite(step)) continue;  // half a line, of a run that goes on
    for (const auto& [name, value] : line.items())
      if (name != "step" && (value.is_number() || value.is_null()))
        metric(stage, name).add(step, value.is_number() ? value.get<double>() : NAN);
  }
}

// What a stage may leave, in the order in which people look for it.
void list_files(const fs::path& folder, StageRecord& stage) {
  const auto add = [&](const fs::path& path) {
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    if (!error) stage.files.emplace_back(path.lexically_relative(folder).generic_string(), bytes);
  };
  const fs::path home = folder / stage.name;
  for (const char* part : {"model", "adapter", ""}) {
    if (!fs::is_directory(home / part)) continue;
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(*part ? home / part : home))
      if (entry.is_regular_file()) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    for (const fs::path& path : found) add(path);
  }
}

}  // namespace

const Line* StageRecord::find(std::string_view metric) const {
  for (const auto& [name, line] : metrics)
    if (name == metric) return &line;
  return nullptr;
}

const Json& get(const Json& from, std::initializer_list<const char*> keys) {
  static const Json none;
  const Json* at = &from;
  for (const char* key : keys) {
    if (!at->is_object() || !at->contains(key)) return none;
    at = &(*at)[key];
  }
  return *at;
}
double real(const Json& from, std::initializer_list<const char*> keys) {
  const Json& value = get(from, keys);
  return value.is_number() ? value.get<double>() : NAN;
}
std::string text(const Json& from, std::initializer_list<const char*> keys) {
  const Json& value = get(from, keys);
  return value.is_string() ? value.get<std::string>() : value.is_number() ? value.dump() : "";
}

Run read_run(const fs::path& folder) {
  Run run{read_object(folder / "run.json"), {}};
  for (const Json& name : get(run.record, {"stages"})) {
    if (!name.is_string()) continue;
    StageRecord stage;
    stage.name = name.get<std::string>();
    const fs::path home = folder / stage.name;
    if (stage.name.empty() || stage.name[0] == '.' || stage.name.find('/') != std::string::npos) continue;
    stage.record = read_object(home / "stage.json");
    read_metrics(home / "metrics.jsonl", stage);
    list_files(folder, stage);
    run.stages.push_back(std::move(stage));
  }
  return run;
}

}  // namespace rgm::report
