// loop_evaluate.cpp - what a stage is judged by: held-out data, samples, its result.
#include <algorithm>
#include <cstring>
#include <span>

#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "tensor/ops.hpp"
#include "train/loop.hpp"
#include "train/routed.hpp"
#include "train/same_weights.hpp"
#include "train/saved_state.hpp"

namespace rgm {
namespace {

constexpr uint32_t evaluation_draws = 0xE0A1;  // keeps its random numbers apart from those of the steps

class FirstPrompt {  // of the batch at hand, while the count goes on
 public:
  FirstPrompt(rgm_train& train, int64_t first) : train_(train), next_(std::exchange(train.first_prompt, first)) {}
  ~FirstPrompt() { train_.first_prompt = next_; }
  FirstPrompt(const FirstPrompt&) = delete;
  FirstPrompt& operator=(const FirstPrompt&) = delete;

 private:
  rgm_train& train_;
  int64_t next_;
};

std::string among_held_out(const std::string& metric) {
  return metric.starts_with("validation_") ? metric : "validation_" + metric;
}

}  // namespace

bool Loop::evaluation_is_due() const {
  return (feed_.has_held_out() || !setup_.choices.empty()) && step_ > 0 && evaluated_at_ != step_ &&
         (step_ == steps_ || (evaluate_every_ > 0 && step_ % evaluate_every_ == 0));
}

// Else the strategy may put together what it has seen of all batches.
bool Loop::deals_held_out() const {
  return !setup_.strategy->evaluate || (setup_.strategy->flags & RGM_EVALUATES_APART);
}

// The strategy's loss over all held-out data; empty where it evaluates by itself. Processes take turns with the
// batches, where that may be, and one of them may have none.
Tensor Loop::held_out_loss() {
  ProcessGroup& processes = *train_.processes;
  const bool deals = deals_held_out();
  const auto size = deals ? uint32_t(processes.size()) : 1, rank = deals ? uint32_t(processes.rank()) : 0;
  Tensor sum;
  uint32_t number = 0;
  struct PromptsCounted {  // so that an answer does not depend on how the examples are cut into batches
    rgm_train& train;
    ~PromptsCounted() { train.first_prompt = 0; }
  } const counted{train_};
  feed_.each_held_out([&](Batch& batch) {
    const uint32_t i = number++, turn = i % size;
    if (turn == 0 && any_of_them(processes, interrupted())) throw Stopped();
    const int64_t first = std::exchange(train_.first_prompt, train_.first_prompt + batch.examples);
    if (turn != rank) return;
    std::optional<Joint> joint;
    if (!deals) joint.emplace(train_);
    const FirstPrompt here(train_, first);
    const size_t shown = train_.shown->size();
    const RandomScope random({train_.seed, uint64_t(step_), i, evaluation_draws});
    const Routed routed(train_, 1);
    if (setup_.strategy->evaluate) {
      call_plugin(setup_.strategy_name, "evaluate", [&] { return setup_.strategy->evaluate(self_, &train_, &batch); });
    } else {
      rgm_tensor* out = nullptr;
      call_plugin(setup_.strategy_name, "loss", [&] { return setup_.strategy->loss(self_, &train_, &batch, &out); });
      const Tensor part = Tensor::adopt(out);
      require_scalar(part, setup_.strategy_name);
      sum = sum ? sum + part : part;
    }
    routed.tell();
    train_.batches.clear();
    for (size_t s = shown; s < train_.shown->size(); ++s) (*train_.shown)[s]["batch"] = i;
  });
  if (processes.size() == 1 || setup_.strategy->evaluate) return sum;
  float all = sum ? item(sum) : 0;
  processes.sum({&all, 1});
  return ops::full({}, all);
}

// The first ones in the order of the batches, whoever made them.
void Loop::gather_shown() {
  nlohmann::json& shown = *train_.shown;
  if (train_.processes->size() > 1 && deals_held_out()) {
    std::vector<nlohmann::json> all;
    const std::string own = shown.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    for (const std::string& one : train_.processes->gather(own))
      for (nlohmann::json& answer : parse_json(one, "answers")) all.push_back(std::move(answer));
    std::ranges::stable_sort(all, {}, [](const nlohmann::json& answer) { return answer.at("batch").get<int64_t>(); });
    shown = nlohmann::json::array();
    for (nlohmann::json& answer : all)
      if (shown.size() < most_shown && (shown.empty() || shown.back().at("prompt") != answer.at("prompt")))
        shown.push_back(std::move(answer));
  }
  for (nlohmann::json& answer : shown) answer.erase("batch");
}

// What the policy says of the stage's questions, which processes share out.
ChoiceScore Loop::score_of_choices() {
  ProcessGroup& processes = *train_.processes;
  if (any_of_them(processes, interrupted())) throw Stopped();
  const std::span<const ChoiceQuestion> all = setup_.choices;
  const auto bound = [&](int rank) { return size_t(rank) * all.size() / size_t(processes.size()); };
  const size_t begin = bound(processes.rank()), end = bound(processes.rank() + 1);
  const auto stop = [&] {  // several could not agree here
    if (processes.size() == 1 && interrupted()) throw Stopped();
  };
  ChoiceScore total;
  for (const std::string& part : from_each(processes, [&] {
         ChoiceScore own;
         score_choices(*train_.policy, all.subspan(begin, end - begin), own, stop);
         return std::string(reinterpret_cast<const char*>(&own), sizeof own);
       })) {
    ChoiceScore one;
    std::memcpy(&one, part.data(), sizeof one);
    total.add(one);
  }
  return total;
}

Numbers Loop::choice_numbers() {
  if (setup_.choices.empty()) return {};
  const ChoiceScore score = score_of_choices();
  if (score.cut > 0 && train_.warned.insert("choices").second)
    log::warning("{}: {} of {} questions are longer than the context of {} tokens and lost their beginning",
                 train_.stage, score.cut, score.count, train_.policy->config().context);
  const double accuracy = score.accuracy(), normalized = score.accuracy_normalized();
  Numbers out = {{"accuracy", accuracy}, {"accuracy_normalized", normalized}, {"choice_loss", score.mean_loss()}};
  if (score.count < 2) return out;
  out.emplace_back("accuracy_error", score.error_of(accuracy));
  out.emplace_back("accuracy_normalized_error", score.error_of(normalized));
  return out;
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
  // A strategy may have an accuracy of its own.
  const std::set<std::string> own = names;
  for (const auto& [name, value] : choice_numbers()) {
    const bool is_taken = own.contains(name) || own.contains(among_held_out(name));
    const std::string free = is_taken ? "choices_" + name : name;
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
