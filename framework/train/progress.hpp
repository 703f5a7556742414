// progress.hpp - what a person sees while a stage trains, and the metrics that are kept of it.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "train/metrics.hpp"

namespace rgm {

struct StepNumbers {
  int64_t step, tokens;  // tokens: since the start of the stage
  double loss, learning_rate, gradient_norm;
  double train_seconds;  // spent in steps, evaluation and checkpoints left out
};

class Progress {
 public:
  // Begins after `first_step`, when `tokens` had been read in `train_seconds`. Without a folder nothing is written.
  Progress(std::string stage, const fs::path& folder, int64_t first_step, int64_t steps, int64_t tokens,
           double train_seconds);
  // Every `log_every` steps: one line, and a row of metrics.
  void step(const StepNumbers& now, const Numbers& more);
  void evaluation(int64_t step, int64_t tokens, const Numbers& numbers);
  double seconds() const;  // since the start of this process's part of the stage

 private:
  void write(int64_t step, const Numbers& in_lines, const Numbers& in_events);

  std::string stage_;
  int64_t first_, steps_, last_tokens_;
  double last_seconds_;
  std::chrono::steady_clock::time_point start_, printed_{};
  std::optional<MetricsFile> metrics_;
  std::optional<EventFile> events_;
};

}  // namespace rgm
