// progress.cpp - the progress line: step, loss, tokens a second, time left.
#include "train/progress.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "base/text.hpp"

namespace rgm {

using Clock = std::chrono::steady_clock;

Progress::Progress(std::string stage, const fs::path& folder, int64_t first_step, int64_t steps, int64_t tokens,
                   double train_seconds)
    : stage_(std::move(stage)),
      first_(first_step),
      steps_(steps),
      last_tokens_(tokens),
      last_seconds_(train_seconds),
      start_(Clock::now()) {
  if (folder.empty()) return;
  metrics_.emplace(folder / "metrics.jsonl", first_step);
  events_.emplace(folder, first_step);
}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

void Progress::step(const StepNumbers& n, const Numbers& more) {
  const Clock::time_point now = Clock::now();
  const double speed = double(n.tokens - last_tokens_) / std::max(n.train_seconds - last_seconds_, 1e-9);
  const double left = n.step > first_ ? seconds() / double(n.step - first_) * double(steps_ - n.step) : 0;
  last_seconds_ = n.train_seconds;
  last_tokens_ = n.tokens;
  std::string line = fmt::format("{}: step {}/{}  loss {:.4f}", stage_, n.step, steps_, n.loss);
  // Where answers are scored, it says more than the loss, which is near 0 by construction.
  const auto reward = std::ranges::find(more, "reward", &Numbers::value_type::first);
  if (reward != more.end()) line += fmt::format("  reward {:.4f}", reward->second);
  line += fmt::format("  {} tokens/s", count_for_people(uint64_t(speed)));
  if (left > 0) line += fmt::format("  {} left", time_for_people(left));
  // A terminal is rewritten in place; a file or pipe gets a line every few seconds.
  if (log::is_terminal() || n.step == steps_ || now - printed_ >= std::chrono::seconds(2)) {
    log::progress(line);
    printed_ = now;
  }

  Numbers numbers{{"tokens", double(n.tokens)},
                  {"loss", n.loss},
                  {"learning_rate", n.learning_rate},
                  {"gradient_norm", n.gradient_norm},
                  {"tokens_per_second", speed}};
  numbers.insert(numbers.end(), more.begin(), more.end());
  write(n.step, numbers, numbers);
}

void Progress::evaluation(int64_t step, int64_t tokens, const Numbers& numbers) {
  std::string line = fmt::format("{}: step {}/{}", stage_, step, steps_);
  for (const auto& [name, value] : numbers) line += fmt::format("  {} {:.4f}", name, value);
  log::end_progress();
  log::info("{}", line);
  Numbers all{{"tokens", double(tokens)}};
  all.insert(all.end(), numbers.begin(), numbers.end());
  write(step, all, numbers);
}

void Progress::write(int64_t step, const Numbers& in_lines, const Numbers& in_events) {
  if (metrics_) metrics_->write(step, in_lines);
  if (events_) events_->write(step, in_events);
}

}  // namespace rgm
