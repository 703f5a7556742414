// metrics.hpp - what a stage leaves behind while it runs: metrics.jsonl, TensorBoard events.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.hpp"

namespace rgm {

using Numbers = std::vector<std::pair<std::string, double>>;

// metrics.jsonl: one JSON object a line, `step` first. Opening it for a run that goes on after step N drops the lines
// behind N (and a half-written last one).
class MetricsFile {
 public:
  MetricsFile(const fs::path& path, int64_t resume_after_step);
  void write(int64_t step, const Numbers& numbers);  // at once; NaN and infinity are written as null
 private:
  AppendedFile file_;
};

// TensorBoard: events.out.tfevents.* with scalars (TFRecord framing, masked CRC32C). A run that goes on after step N
// adds a file to those that are there; one that begins anew, after step 0, removes them.
class EventFile {
 public:
  EventFile(const fs::path& folder, int64_t resume_after_step);
  void write(int64_t step, const Numbers& numbers);

 private:
  void append(std::string_view message);
  AppendedFile file_;
  bool started_ = false;
};

}  // namespace rgm
