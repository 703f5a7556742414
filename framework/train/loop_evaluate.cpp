// loop_evaluate.cpp - what a stage is judged by: held-out data, samples, its result.
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "tensor/ops.hpp"
#include "train/loop.hpp"
#include "train/same_weights.hpp"
#include "train/saved_state.hpp"

namespace rgm {
namespace {

std::string among_held_out(const std::string& metric) {
  return metric.starts_with("validation_") ? metric : "validation_" + metric;
}

}  // namespace

bool Loop::evaluation_is_due() const {
  return (feed_.has_held_out() || !setup_.choices.empty()) && step_ > 0 && evaluated_at_ != step_ &&
         (step_ == steps_ || (evaluate_every_ > 0 && step_ % evaluate_every_ == 0));
}

void Loop::evaluate() {
  const Stopwatch watch(evaluate_seconds_);
  require_same_weights(setup_, step_);
  gradients_.forget();
  average_.in_place([this] { evaluate_kept(); });
}

// The weights that would be kept if this was the end.
void Loop::evaluate_kept() {
  train_.progress = double(step_) / double(steps_);
  const NoGradient still;
  // Those of the steps since the last line go on afterwards, also when this is interrupted.
  struct KeptMetrics {
    rgm_train& train;
    decltype(rgm_train::metrics) kept = std::exchange(train.metrics, {});
    ~KeptMetrics() { train.metrics = std::move(kept); }
  } const metrics{train_};
  const bool holds_out = feed_.has_held_out();
  train_.begin_pass([this, holds_out](const auto& see) {
    if (holds_out) feed_.each_held_out([&](Batch& batch) { see(batch); });
  });
  train_.shown = nlohmann::json::array();
  // The result has what the strategy itself calls a metric; beside those of the steps it is one of held-out data.
  Numbers numbers, shown;
  const auto add = [&](const std::string& name, const std::string& among_steps, double value) {
    if (among_steps == "validation_loss" && !std::isfinite(value)) not_finite(step_, "the validation loss");
    numbers.emplace_back(name, value);
    shown.emplace_back(among_steps, value);
    evaluated_[name] = value;
  };
  if (const Tensor sum = holds_out ? held_out_loss() : Tensor()) add("validation_loss", "validation_loss", item(sum));
  const auto in_result = [&](const std::string& name) {
    return setup_.strategy->evaluate ? name : among_held_out(name);
  };
  std::set<std::string> names;  // in the result; also of what is the mean of nothing, and no number for once
  for (const auto& [name, metric] : train_.metrics) names.insert(in_result(name));
  for (const auto& [name, value] : train_.read_metrics()) add(in_result(name), among_held_out(name), value);
  // A strategy may have an accuracy of its own, which is not what the errors here are of.
  const bool has_own = names.contains("accuracy") || names.contains("validation_accuracy");
  for (const auto& [name, value] : choice_numbers()) {
    const std::string free = has_own && name.starts_with("accuracy") ? "choices_" + name : name;
    add(free, among_held_out(free), value);
  }
  for (const auto& [name, value] : numbers) names.insert(name);
  evaluated_at_ = step_;
  gather_shown();
  keep_shown();
  progress_->evaluation(step_, tokens_, shown);
  judge(numbers, names);
}

// The answers of this evaluation. Of many evaluations every second one goes, so that a record stays small.
void Loop::keep_shown() {
  constexpr size_t most = 96;
  nlohmann::json& all = result_.samples;
  nlohmann::json shown = *std::exchange(train_.shown, std::nullopt);
  for (nlohmann::json& one : shown) {
    one["step"] = step_;
    all.push_back(std::move(one));
  }
  if (all.size() <= most) return;
  nlohmann::json kept = nlohmann::json::array();
  bool keeps = false;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i == 0 || all[i]["step"] != all[i - 1]["step"]) keeps = !keeps || all[i]["step"] == step_;
    if (keeps) kept.push_back(all[i]);
  }
  all = std::move(kept);
}

void Loop::take_samples() {
  const Stopwatch watch(sample_seconds_);
  gradients_.forget();
  bool is_stopped = false;
  try {
    if (is_first(*train_.processes)) sample_at_first();
  } catch (const Stopped&) {
    is_stopped = true;
  }
  if (any_of_them(*train_.processes, is_stopped)) throw Stopped();
}

// The others wait: it is one text after the other.
void Loop::sample_at_first() {
  const TrainSettings& s = setup_.settings;
  const Model& model = *train_.policy;
  Sampling sampling;
  sampling.answers = s.sample_count;
  sampling.max_tokens = s.sample_tokens;
  sampling.temperature = s.sample_temperature;
  sampling.top_k = s.sample_top_k;
  sampling.top_p = s.sample_top_p;
  sampling.min_p = s.sample_min_p;
  sampling.repetition_penalty = s.sample_repetition_penalty;
  sampling.stop = s.sample_stop;
  sampling.seed = mix(train_.seed, 0x5A);
  const NoGradient still;
  const auto stop = [](int64_t, int32_t) {
    if (interrupted()) throw Stopped();
  };
  for (const Generated& g :
       generate(model, {model.tokenizer()->encode(s.sample_prompt)}, sampling, /*slide=*/true, stop))
    result_.samples.push_back({{"step", keeps_best() ? best_step_ : step_},
                               {"prompt", s.sample_prompt},
                               {"text", model.tokenizer()->decode_on(g.tokens)}});
}

void Loop::finish() {
  const auto sample = [this] {
    if (!setup_.settings.sample_prompt.empty()) take_samples();
  };
  if (keeps_best()) {
    if (setup_.check_folder) setup_.check_folder();
    train_.processes->wait();  // it may just have been written
    load_weights(setup_.folder / "best.safetensors", setup_);
    evaluated_ = best_evaluated_;
    sample();
  } else {
    average_.in_place(sample);  // an interruption of it writes a checkpoint, of the plain weights
    average_.exchange();
  }
  nlohmann::json& r = result_.result;
  r = train_.report;
  for (const auto& [name, value] : evaluated_) r[name] = value;
  r["steps"] = step_;
  r["tokens"] = tokens_;
  r["seconds"] = seconds_before_ + progress_->seconds();
  r["trained_parameters"] = optimizer_.parameters();
  if (std::isfinite(last_loss_)) r["loss"] = last_loss_;
  if (keeps_best()) r["best_step"] = best_step_;
  if (const int n = train_.processes->size(); n > 1) r["processes"] = n;
  if (const double decay = setup_.settings.average; decay > 0) r["average_decay"] = decay;
  result_.timings = {{"train", train_seconds_},
                     {"evaluate", evaluate_seconds_},
                     {"checkpoint", checkpoint_seconds_},
                     {"sample", sample_seconds_}};
}

}  // namespace rgm
