// loop_best.cpp - which evaluation is the best so far: its weights are kept, and too many behind it that are no better
// end the stage.
#include "base/log.hpp"
#include "base/text.hpp"
#include "train/loop.hpp"
#include "train/saved_state.hpp"

namespace rgm {
namespace {

struct Judged {
  std::string name;
  double value = NAN;
  bool highest_is_best = false;
};

// What the result calls a number: in the lines of an evaluation, every name begins with validation_.
std::string name_among(const auto& known, const std::string& name) {
  constexpr std::string_view held_out = "validation_";
  if (known.contains(name) || !name.starts_with(held_out)) return name;
  std::string own = name.substr(held_out.size());
  return known.contains(own) ? own : name;
}

// The number that keep: {best: NAME} names; else the validation loss, and of a strategy that reports none the accuracy
// or else the reward. No name where none of them is there.
Judged judged_by(const TrainSettings& settings, const std::map<std::string, double>& numbers) {
  std::vector<Judged> all = {{"validation_loss", NAN, false},
                             {"accuracy", NAN, true},
                             {"validation_accuracy", NAN, true},
                             {"reward", NAN, true},
                             {"validation_reward", NAN, true}};
  if (!settings.best_by.empty()) all = {{name_among(numbers, settings.best_by), NAN, settings.highest_is_best}};
  for (Judged& one : all)
    if (const auto found = numbers.find(one.name); found != numbers.end() && std::isfinite(found->second)) {
      one.value = found->second;
      return one;
    }
  return {};
}

}  // namespace

// What keep: best and patience go by. Where it was never a number, the last weights stay, and every step is taken.
void Loop::judge(const Numbers& numbers, const std::set<std::string>& names) {
  const TrainSettings& s = setup_.settings;
  if (s.keep != "best" && s.patience == 0) return;
  const Judged judged = judged_by(s, {numbers.begin(), numbers.end()});
  if (judged.name.empty()) tell_unjudged(names);
  const double cost = judged.highest_is_best ? -judged.value : judged.value;
  if (!(cost < best_)) {  // nor where it is no number
    if (best_step_ > 0) ++not_better_;
    return;
  }
  best_ = cost;
  best_step_ = step_;
  not_better_ = 0;
  best_evaluated_ = evaluated_;
  if (s.keep != "best" || !is_first(*train_.processes)) return;
  if (setup_.check_folder) setup_.check_folder();
  save_weights(setup_.folder / "best.safetensors", setup_);
}

// A name that no evaluation will have is refused while steps are left, and told of where they are done.
void Loop::tell_unjudged(const std::set<std::string>& names) {
  const TrainSettings& s = setup_.settings;
  const std::string by = s.best_by.empty() ? "validation loss, accuracy or reward" : s.best_by;
  const auto is_in = [&](const auto& known) { return known.contains(name_among(known, by)); };
  if (!s.best_by.empty() && !is_in(names) && !is_in(evaluated_)) {
    const std::vector<std::string> known(names.begin(), names.end());
    const std::string what = fmt::format(
        "{}: keep: {{best: {}}} names a number that the evaluation after step {} does not report{}; it reports: {}",
        train_.stage, by, step_, did_you_mean(by, known), join(known));
    require(step_ == steps_, "{}", what);
    log::warning("{}. The last weights are kept", what);
    return;
  }
  if (!train_.warned.insert("keep: best").second) return;
  const bool keeps = s.keep == "best";
  std::vector<std::string> others;
  for (const auto& [name, value] : evaluated_) others.push_back(name);
  log::warning("{}: after step {} strategy \"{}\" reported no {} for {} to go by; if no evaluation has one, {}{}",
               train_.stage, step_, setup_.strategy_id, by, keeps ? "keep: best" : "patience",
               keeps ? "the last weights are kept" : "the stage runs all its steps",
               s.best_by.empty() && !others.empty()
                   ? fmt::format("; it can go by one of these with keep: {{best: NAME}}: {}", join(others))
                   : "");
}

bool Loop::keeps_best() const { return setup_.settings.keep == "best" && best_step_ > 0; }

bool Loop::is_out_of_patience() const {
  return setup_.settings.patience > 0 && not_better_ >= setup_.settings.patience;
}

void Loop::tell_out_of_patience() {
  const Judged best = judged_by(setup_.settings, best_evaluated_);
  log::end_progress();
  log::info("{}: ends after step {}: {} no better than that of step {}, {} {:.4f}", train_.stage, step_,
            not_better_ == 1 ? "the last evaluation was" : fmt::format("the last {} evaluations were", not_better_),
            best_step_, best.name, best.value);
}

}  // namespace rgm
