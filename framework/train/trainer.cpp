// trainer.cpp - the loop of a stage. Everything in it is a function of the step's number, so going on after a
// checkpoint gives the bits of a run that was never interrupted.
#include "train/trainer.hpp"

#include <chrono>
#include <cmath>
#include <optional>

#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/philox.hpp"
#include "generate/generate.hpp"
#include "tensor/ops.hpp"
#include "train/progress.hpp"
#include "train/rows.hpp"
#include "train/saved_state.hpp"

namespace rgm {

int64_t steps_of(const TrainSetup& setup) {
  const TrainSettings& s = setup.settings;
  if (s.steps > 0) return s.steps;
  const double units = double(setup.sources.at(setup.main_source)->units()) * (s.epochs > 0 ? s.epochs : 1);
  return std::max<int64_t>(1, int64_t(std::ceil(units / double(s.batch))));
}

namespace {

using Clock = std::chrono::steady_clock;

class Stopwatch {  // adds the time it lives to a timing
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& seconds_;
  Clock::time_point start_;
};

class Loop {
 public:
  Loop(TrainSetup& setup, void* self)
      : setup_(setup),
        train_(*setup.train),
        self_(self),
        checkpoints_(setup.folder / "checkpoint"),
        feed_(setup, self),
        optimizer_(setup.settings.optimizer, setup.parameters),
        steps_(steps_of(setup)) {
    // A model that only annotates has done its work.
    for (const rgm_role* const* wanted = setup.strategy->roles; wanted && *wanted; ++wanted)
      if ((*wanted)->flags & RGM_ANNOTATES) train_.roles.erase((*wanted)->name);
  }

  TrainResult run() {
    resume();
    progress_.emplace(train_.stage, setup_.folder, step_, steps_);
    last_checkpoint_ = Clock::now();
    try {
      while (step_ < steps_) one_step();
    } catch (const Error& e) {
      if (e.status() != RGM_CANCELLED) throw;
      log::end_progress();
      log::info("{}: ends after step {}: {}", train_.stage, step_, e.what());
      steps_ = step_;
    }
    log::end_progress();
    finish();
    return std::move(result_);
  }

 private:
  void resume() {
    const auto checkpoint = checkpoints_.newest();
    if (!checkpoint) return;
    if (checkpoint->state.value("inputs", "") != setup_.inputs_sha256) {
      log::info("{}: the checkpoint is of other settings or data; starting anew", train_.stage);
      checkpoints_.remove_all();
      return;
    }
    load_state(*checkpoint, setup_, optimizer_, feed_);
    step_ = checkpoint->step;
    tokens_ = checkpoint->state.at("tokens");
    seconds_before_ = checkpoint->state.at("seconds");
    best_ = checkpoint->state.at("best").is_null() ? INFINITY : checkpoint->state.at("best").get<double>();
    train_.report = checkpoint->state.at("report");
    log::info("{}: resumed at step {}", train_.stage, step_);
  }

  void one_step() {
    const TrainSettings& s = setup_.settings;
    ++step_;
    double rate = learning_rate(s.optimizer, s.schedule, step_, steps_);
    {
      const Stopwatch watch(train_seconds_);
      learn(rate);
    }
    const bool last = step_ == steps_;
    if (last || step_ % std::max<int64_t>(s.log_every, 1) == 0) log_step(rate);
    if (feed_.has_held_out() && (last || (s.evaluate_every > 0 && step_ % s.evaluate_every == 0))) evaluate();
    const bool by_steps = s.checkpoint_every > 0 && step_ % s.checkpoint_every == 0;
    const bool by_time =
        s.checkpoint_minutes > 0 &&
        std::chrono::duration<double>(Clock::now() - last_checkpoint_).count() >= 60 * s.checkpoint_minutes;
    if (!last && (by_steps || by_time || interrupted())) checkpoint();
    if (!last && interrupted()) {
      log::end_progress();
      throw Interrupted(fmt::format("{}: interrupted after step {}, checkpoint written", train_.stage, step_));
    }
  }

  // Gradients of all micro-batches, then one update.
  void learn(double rate) {
    const std::vector<Batch*> batches = feed_.next();
    train_.begin_step(batches);
    tokens_ += feed_.tokens();
    setup_.train->policy->training = true;
    Tensor loss;
    for (size_t i = 0; i < batches.size(); ++i) {
      const RandomScope random({train_.seed, uint64_t(step_), uint32_t(i), 0});
      rgm_tensor* out = nullptr;
      check_status(setup_.strategy->loss(self_, &train_, batches[i], &out));
      const Tensor part = Tensor::adopt(out);
      require(part && part.count() == 1, "{}: loss answered a tensor that is not a scalar", setup_.strategy_id);
      if (!part.needs_gradient() && step_ == 1 && i == 0)
        invalid("{}: the loss depends on nothing that is trained; see `trainable` and `adapter`", train_.stage);
      if (part.needs_gradient()) backward(part);
      const NoGradient still;
      loss = loss ? loss + ops::detach(part) : ops::detach(part);
      batches[i]->uploaded.clear();
    }
    setup_.train->policy->training = false;
    loss_ = loss;
    norm_ = optimizer_.step(step_, rate, setup_.settings.clip);
  }

  void log_step(double rate) {
    const double loss = item(loss_), norm = item(norm_);
    if (!std::isfinite(loss) || !std::isfinite(norm)) not_finite(loss);
    progress_->step(step_, tokens_, loss, rate, norm, train_.read_metrics());
  }

  // Names the first parameter that is broken; the last checkpoint stays as it is.
  [[noreturn]] void not_finite(double loss) {
    std::string where = std::isfinite(loss) ? "the gradient" : "the loss";
    for (const Parameters* store : setup_.parameters)
      for (const Parameter& p : store->all()) {
        if (!p.trained) continue;
        const std::vector<float> values = to_host(p.value);
        if (std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) continue;
        failure(
            "{}: at step {} {} is not finite, first seen in {}; a lower learning rate, more warm-up or clipping may "
            "help. The last checkpoint is kept in {}",
            train_.stage, step_, where, p.name, (setup_.folder / "checkpoint").string());
      }
    failure(
        "{}: at step {} {} is not finite; a lower learning rate, more warm-up or clipping may help. The last "
        "checkpoint is kept in {}",
        train_.stage, step_, where, (setup_.folder / "checkpoint").string());
  }

  void evaluate() {
    const Stopwatch watch(evaluate_seconds_);
    const NoGradient still;
    const auto kept = std::exchange(train_.metrics, {});
    const auto batches = feed_.held_out();
    std::vector<Batch*> all;
    for (const auto& batch : batches) all.push_back(batch.get());
    train_.begin_step(all);
    Tensor sum;
    for (size_t i = 0; i < all.size(); ++i) {
      const RandomScope random({train_.seed, uint64_t(step_), uint32_t(i), 0xE0A1});
      if (setup_.strategy->evaluate) {
        check_status(setup_.strategy->evaluate(self_, &train_, all[i]));
      } else {
        rgm_tensor* out = nullptr;
        check_status(setup_.strategy->loss(self_, &train_, all[i], &out));
        const Tensor part = Tensor::adopt(out);
        sum = sum ? sum + part : part;
      }
      all[i]->uploaded.clear();
    }
    Numbers numbers;
    if (sum) numbers.emplace_back("validation_loss", item(sum));
    for (const auto& [name, value] : train_.read_metrics())
      numbers.emplace_back(setup_.strategy->evaluate ? name : "validation_" + name, value);
    train_.metrics = kept;
    for (const auto& [name, value] : numbers) evaluated_[name] = value;
    progress_->evaluation(step_, tokens_, numbers);
    if (setup_.settings.keep == "best" && sum && item(sum) < best_) {
      best_ = item(sum);
      save_weights(setup_.folder / "best.safetensors", setup_);
    }
  }

  void checkpoint() {
    const Stopwatch watch(checkpoint_seconds_);
    const double loss = item(loss_), norm = item(norm_);
    if (!std::isfinite(loss) || !std::isfinite(norm)) not_finite(loss);
    nlohmann::json more{{"tokens", tokens_},
                        {"seconds", seconds_before_ + progress_->seconds()},
                        {"best", std::isfinite(best_) ? nlohmann::json(best_) : nlohmann::json()},
                        {"report", train_.report}};
    save_state(checkpoints_, step_, more, setup_, optimizer_, feed_);
    last_checkpoint_ = Clock::now();
  }

  void finish() {
    if (setup_.settings.keep == "best" && std::isfinite(best_)) {
      load_weights(setup_.folder / "best.safetensors", setup_);
      evaluated_["validation_loss"] = best_;
    }
    double sample_seconds = 0;
    if (!setup_.settings.sample_prompt.empty()) {
      const Stopwatch watch(sample_seconds);
      take_samples();
    }
    nlohmann::json& r = result_.result;
    r = train_.report;
    for (const auto& [name, value] : evaluated_) r[name] = value;
    r["steps"] = step_;
    r["tokens"] = tokens_;
    r["seconds"] = seconds_before_ + progress_->seconds();
    r["trained_parameters"] = optimizer_.parameters();
    if (loss_) r["loss"] = item(loss_);
    result_.timings = {{"train", train_seconds_},
                       {"evaluate", evaluate_seconds_},
                       {"checkpoint", checkpoint_seconds_},
                       {"sample", sample_seconds}};
  }

  void take_samples() {
    const TrainSettings& s = setup_.settings;
    const Model& model = *train_.policy;
    Sampling sampling;
    sampling.answers = s.sample_count;
    sampling.max_tokens = s.sample_tokens;
    sampling.temperature = s.sample_temperature;
    sampling.top_k = s.sample_top_k;
    sampling.top_p = s.sample_top_p;
    sampling.seed = mix(train_.seed, 0x5A);
    const NoGradient still;
    for (const Generated& g : generate(model, {model.tokenizer()->encode(s.sample_prompt)}, sampling, true))
      result_.samples.push_back(
          {{"step", step_}, {"prompt", s.sample_prompt}, {"text", model.tokenizer()->decode(g.tokens)}});
  }

  TrainSetup& setup_;
  rgm_train& train_;
  void* self_;
  Checkpoints checkpoints_;
  Feed feed_;
  Optimizer optimizer_;
  int64_t steps_, step_ = 0, tokens_ = 0;
  Tensor loss_, norm_;
  double best_ = INFINITY, seconds_before_ = 0;
  double train_seconds_ = 0, evaluate_seconds_ = 0, checkpoint_seconds_ = 0;
  std::map<std::string, double> evaluated_;
  std::optional<Progress> progress_;
  Clock::time_point last_checkpoint_;
  TrainResult result_;
};

// The strategy's instance; destroyed with its scope.
struct Instance {
  const rgm_strategy& table;
  void* self = nullptr;
  Instance(const rgm_strategy& t, const rgm_config* config) : table(t) { check_status(table.create(config, &self)); }
  ~Instance() { table.destroy(self); }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
};

}  // namespace

TrainResult train(TrainSetup& setup) {
  rgm_train& session = *setup.train;
  Instance strategy(*setup.strategy, setup.config);
  // The reference is the policy as it is now, before a checkpoint moves it on.
  for (const rgm_role* const* wanted = setup.strategy->roles; wanted && *wanted; ++wanted)
    if (std::string_view((*wanted)->name) == "reference" && ((*wanted)->flags & RGM_ANNOTATES))
      continue;  // made when annotate asks for it, if it does at all
    else if (!role(session, (*wanted)->name) && !((*wanted)->flags & RGM_OPTIONAL))
      invalid("{}: the strategy {} needs a model `{}`; add `{}: {{from: …}}` to the stage", session.stage,
              setup.strategy_id, (*wanted)->name, (*wanted)->name);
  if (setup.strategy->prepare) {
    const NoGradient still;
    const RandomScope random({session.seed, 0, 0, 0});
    check_status(setup.strategy->prepare(strategy.self, &session));
  }
  if (!setup.strategy->loss) return write_rows(setup, strategy.self);
  return Loop(setup, strategy.self).run();
}

}  // namespace rgm
