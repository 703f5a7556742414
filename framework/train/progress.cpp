// progress.cpp - the progress line: step, loss, tokens a second, time left.
#include "train/progress.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

namespace rgm {

using Clock = std::chrono::steady_clock;

Progress::Progress(std::string stage, const fs::path& folder, int64_t first_step, int64_t steps)
    : stage_(std::move(stage)),
      first_(first_step),
      steps_(steps),
      start_(Clock::now()),
      last_(start_),
      metrics_(folder / "metrics.jsonl", first_step),
      events_(folder) {}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

void Progress::step(int64_t step, int64_t tokens, double loss, double rate, double norm, const Numbers& more) {
  const Clock::time_point now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_).count();
  const double speed = last_tokens_ < 0 || since <= 0 ? 0 : double(tokens - last_tokens_) / since;
  const double left = step > first_ ? seconds() / double(step - first_) * double(steps_ - step) : 0;
  last_ = now;
  last_tokens_ = tokens;
  std::string line = fmt::format("{}: step {}/{}  loss {:.4f}", stage_, step, steps_, loss);
  if (speed > 0) line += fmt::format("  {} tokens/s", count_for_people(uint64_t(speed)));
  if (left > 0) line += fmt::format("  {} left", time_for_people(left));
  // A terminal is rewritten in place; a file or pipe gets a line every few seconds.
  if (log::is_terminal() || step == steps_ || now - printed_ >= std::chrono::seconds(2)) {
    log::progress(line);
    printed_ = now;
  }

  Numbers numbers{{"tokens", double(tokens)}, {"loss", loss}, {"learning_rate", rate}, {"gradient_norm", norm}};
  if (speed > 0) numbers.emplace_back("tokens_per_second", speed);
  numbers.insert(numbers.end(), more.begin(), more.end());
  metrics_.write(step, numbers);
  events_.write(step, numbers);
}

void Progress::evaluation(int64_t step, int64_t tokens, const Numbers& numbers) {
  std::string line = fmt::format("{}: step {}/{}", stage_, step, steps_);
  for (const auto& [name, value] : numbers) line += fmt::format("  {} {:.4f}", name, value);
  log::end_progress();
  log::info("{}", line);
  Numbers all{{"tokens", double(tokens)}};
  all.insert(all.end(), numbers.begin(), numbers.end());
  metrics_.write(step, all);
  events_.write(step, numbers);
  last_tokens_ = -1;  // the evaluation's time is not the training's
}

}  // namespace rgm
