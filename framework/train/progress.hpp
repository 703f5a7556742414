// progress.hpp - what a person sees while a stage trains, and the metrics that are kept of it.
#pragma once
#include <chrono>
#include <string>

#include "train/metrics.hpp"

namespace rgm {

class Progress {
 public:
  Progress(std::string stage, const fs::path& folder, int64_t first_step, int64_t steps);
  // Every `log_every` steps: one line, and a row of metrics.
  void step(int64_t step, int64_t tokens, double loss, double rate, double norm, const Numbers& more);
  void evaluation(int64_t step, int64_t tokens, const Numbers& numbers);
  double seconds() const;  // since the start of this process's part of the stage

 private:
  std::string stage_;
  int64_t first_, steps_, last_tokens_ = -1;
  std::chrono::steady_clock::time_point start_, last_, printed_{};
  MetricsFile metrics_;
  EventFile events_;
};

}  // namespace rgm
