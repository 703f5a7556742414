// metrics.cpp - metrics.jsonl: one JSON object a line, appended and flushed at once. Resuming first rewrites the file
// without the lines that the interrupted run wrote behind its last checkpoint, so no step stands in it twice.
#include "train/metrics.hpp"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/error.hpp"
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

}  // namespace

struct MetricsFile::State {
  fs::path path;
  std::FILE* file = nullptr;
};

MetricsFile::MetricsFile(fs::path path, int64_t resume_after_step) : state_(std::make_unique<State>()) {
  if (path.has_parent_path()) fs::create_directories(path.parent_path());
  write_file(path, lines_until(path, resume_after_step));
  state_->file = std::fopen(path.c_str(), "ab");
  if (!state_->file) failure("{}: cannot be written: {}", path.string(), std::strerror(errno));
  state_->path = std::move(path);
}

MetricsFile::~MetricsFile() {
  if (state_->file) std::fclose(state_->file);
}

void MetricsFile::write(int64_t step, const Numbers& numbers) {
  std::string line = fmt::format("{{\"step\": {}", step);
  for (const auto& [name, value] : numbers) line += ", " + quoted(name) + ": " + number(value);
  line += "}\n";
  if (std::fwrite(line.data(), 1, line.size(), state_->file) != line.size() || std::fflush(state_->file) != 0)
    failure("{}: cannot be written: {}", state_->path.string(), std::strerror(errno));
}

}  // namespace rgm
