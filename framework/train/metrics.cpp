// metrics.cpp - metrics.jsonl: one JSON object a line, appended at once. Resuming first rewrites the file
// without the lines that the interrupted run wrote behind its last checkpoint, so no step stands in it twice.
#include "train/metrics.hpp"

#include <cmath>

#include "base/json.hpp"

namespace rgm {

namespace {

// The whole lines of an older run up to and with `last_step`; a half-written line does not parse and goes.
std::string lines_until(const fs::path& path, int64_t last_step) {
  std::string kept;
  if (last_step <= 0 || !fs::exists(path)) return kept;
  const std::string text = read_file(path);
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string_view line(text.data() + begin, end - begin);
    const auto object = json_or_discarded(line);
    if (!object.is_object() || !object.contains("step") || !object["step"].is_number()) continue;
    if (object["step"].get<double>() <= static_cast<double>(last_step)) kept.append(line).push_back('\n');
  }
  return kept;
}

std::string number(double x) { return std::isfinite(x) ? fmt::format("{}", x) : "null"; }

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Answers how many bytes it keeps.
uintmax_t begin(const fs::path& path, int64_t last_step) {
  if (path.has_parent_path()) fs::create_directories(path.parent_path());
  const std::string kept = lines_until(path, last_step);
  write_file(path, kept);
  return kept.size();
}

}  // namespace

MetricsFile::MetricsFile(const fs::path& path, int64_t resume_after_step)
    : file_(path, begin(path, resume_after_step)) {}

void MetricsFile::write(int64_t step, const Numbers& numbers) {
  std::string line = fmt::format("{{\"step\": {}", step);
  for (const auto& [name, value] : numbers) line += ", " + quoted(name) + ": " + number(value);
  file_.append(line + "}\n", Sync::no);
}

}  // namespace rgm
