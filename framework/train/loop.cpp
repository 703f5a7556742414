// loop.cpp - a step after the other: gradients of all micro-batches, one update, and what is due after it.
#include "train/loop.hpp"

#include <algorithm>

#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "tensor/ops.hpp"
#include "tensor/plugin_call.hpp"
#include "train/routed.hpp"
#include "train/same_weights.hpp"

namespace rgm {

constexpr uint32_t after_step_draws = 0xAF7E;  // keeps its random numbers apart from those of the steps

static bool may_capture(const TrainSetup& setup) {
  return setup.captures && (setup.strategy->flags & RGM_CAPTURABLE) != 0 && !setup.strategy->rollout &&
         !waits_in_passes(setup);
}

Loop::Loop(TrainSetup& setup, void* self)
    : setup_(setup),
      train_(*setup.train),
      self_(self),
      checkpoints_(setup.folder / "checkpoint"),
      feed_(setup, self),
      gradients_(train_, setup.parameters, may_capture(setup),
                 [this](size_t i, Batch* batch) { return trained_loss_of(number_of(i), batch); }),
      sum_(*train_.processes, setup.parameters),
      optimizer_(setup.settings.optimizer, setup.parameters),
      average_(setup.settings.average, setup.parameters),
      steps_(steps_of(setup)),
      evaluate_every_(steps_between_evaluations(setup)) {
  // From here on the policy moves, and a model that only annotates has done its work.
  train_.makes_reference = false;
  for (const rgm_role* const* wanted = setup.strategy->roles; *wanted; ++wanted)
    if ((*wanted)->flags & RGM_ANNOTATES && !train_.followers.contains((*wanted)->name))
      train_.roles.erase((*wanted)->name);
}

TrainResult Loop::run() {
  check_schedule();
  resume();
  const bool writes = is_first(*train_.processes);
  progress_.emplace(train_.stage, writes ? setup_.folder : fs::path(), step_, steps_, tokens_, train_seconds_);
  last_checkpoint_ = Clock::now();
  try {
    if (evaluation_is_due()) evaluate();
    while (step_ < steps_ && !is_out_of_patience())
      if (!one_step()) break;
    if (step_ < steps_ && is_out_of_patience()) tell_out_of_patience();
    log::end_progress();
    require_same_weights(setup_, step_);
    finish();
  } catch (const Stopped&) {
    stop_with_checkpoint();
  } catch (const Error& e) {
    if (e.status() != RGM_NO_MEMORY) throw;
    out_of_memory(e.what());
  }
  return std::move(result_);
}

void Loop::check_schedule() const {
  const ScheduleSpec& schedule = setup_.settings.schedule;
  const int64_t warmup = schedule.warmup.of(steps_), decay = schedule.kind == "wsd" ? schedule.decay.of(steps_) : 0;
  if (warmup >= steps_)
    log::warning("{}: the learning rate rises over {} steps, but there are only {}: it never reaches the one given",
                 train_.stage, warmup, steps_);
  else if (warmup + decay > steps_ + 1)  // one more comes of rounding two shares
    log::warning("{}: the learning rate rises over {} steps and falls over {}, but there are only {}: it falls faster",
                 train_.stage, warmup, decay, steps_);
  const int64_t patience = setup_.settings.patience, times = evaluate_every_ > 0 ? (steps_ - 1) / evaluate_every_ : 0;
  if (patience > 0 && times <= patience)
    log::warning(
        "{}: patience: {} cannot end the stage early: for that it takes {} evaluations before the last step, and there "
        "are {}",
        train_.stage, patience, patience + 1, times);
}

double Loop::rate() const { return learning_rate(setup_.settings.optimizer, setup_.settings.schedule, step_, steps_); }

// False: the strategy ended the stage, as if its steps were done.
bool Loop::one_step() {
  const TrainSettings& s = setup_.settings;
  ++step_;
  bool is_made = false;  // its update
  try {
    const Stopwatch watch(train_seconds_);
    learn(rate());
    is_made = true;
    tell_step();
  } catch (const PluginError& e) {
    if (e.status() != RGM_CANCELLED) throw;
    if (!is_made) drop_step();
    end_early(e.said());
    return false;
  }
  // With patience every evaluation may be the last, and the last step has a line.
  const bool may_end = s.patience > 0 && evaluation_is_due();
  if (step_ == steps_ || may_end || step_ % std::max<int64_t>(s.log_every, 1) == 0) log_step();
  if (evaluation_is_due()) evaluate();
  const bool by_steps = s.checkpoint_every > 0 && step_ % s.checkpoint_every == 0;
  const bool by_time = train_.processes->size() == 1 ? is_late() : said_.is_due;
  if (is_to_stop()) throw Stopped();
  if (step_ < steps_ && (by_steps || by_time)) checkpoint();
  return !setup_.after_step || setup_.after_step(step_, tokens_);
}

void require_scalar(const Tensor& loss, const std::string& strategy) {
  require(static_cast<bool>(loss), "{}: loss returned no tensor, one number was expected; its author has to correct it",
          strategy);
  require(loss.count() == 1, "{}: loss returned the shape {}, one number was expected; its author has to correct it",
          strategy, loss.shape().text());
}

// The step that was begun does not count: what it left on the way is dropped.
void Loop::drop_step() {
  --step_;
  train_.policy->training = false;
  for (Parameters* store : setup_.parameters)
    for (Parameter& p : store->all()) p.value.take_gradient();
}

void Loop::end_early(const std::string& reason) {
  log::end_progress();
  log::info("{}: ends after step {}: {}", train_.stage, step_, reason);
  // Before there are fewer steps: the rate that was used goes by those there were to be.
  if (loss_ && logged_at_ != step_) log_step();
  steps_ = step_;
  if (evaluation_is_due()) evaluate();
}

// Gradients of all micro-batches, then one update.
void Loop::learn(double rate) {
  train_.progress = double(step_ - 1) / double(steps_);
  const std::vector<Batch*> batches = feed_.next();
  train_.begin_step(batches);
  train_.policy->training = !(setup_.strategy->flags & RGM_WITHOUT_DROPOUT);
  add_up();
  train_.policy->training = false;
  norm_ = optimizer_.step(step_, rate, setup_.settings.clip, loss_);
  average_.update(step_);
  tokens_ += feed_.tokens();
}

// What the strategy ends the stage with, if several processes have to agree on that.
std::optional<PluginError> Loop::end_in(const std::function<void()>& call) const {
  try {
    call();
  } catch (const PluginError& e) {
    if (e.status() != RGM_CANCELLED || train_.processes->size() == 1) throw;
    return e;
  }
  return std::nullopt;
}

// Where the strategy ends the stage in one process, it does so in all.
void Loop::end_in_all(const std::optional<PluginError>& ended) {
  std::vector<std::string> reasons = train_.processes->gather(ended ? ended->said() : "");
  std::erase(reasons, "");
  if (ended) throw PluginError(*ended);
  throw PluginError(RGM_CANCELLED, "", reasons.empty() ? "" : reasons[0], "");
}

void Loop::add_up() {
  const ProcessGroup& processes = *train_.processes;
  const std::vector<Batch*> own = feed_.own();
  Tensor loss;  // until it counts, the last line may be of the step before
  const auto ended = end_in([&] {
    if (!own.empty()) loss = gradients_.run(own);
  });
  said_ =
      sum_.run(loss, {.stops = interrupted(), .ends = ended.has_value(), .is_due = is_first(processes) && is_late()});
  if (said_.ends) end_in_all(ended);
  loss_ = std::move(loss);
}

// By the clock, for a checkpoint.
bool Loop::is_late() const {
  const double minutes = setup_.settings.checkpoint_minutes;
  return minutes > 0 && std::chrono::duration<double>(Clock::now() - last_checkpoint_).count() >= 60 * minutes;
}

// Of all processes: they saw it in the same step.
bool Loop::is_to_stop() const { return train_.processes->size() == 1 ? interrupted() : said_.stops; }

// In the step, of a micro-batch of this process: draws go by it.
size_t Loop::number_of(size_t own) const {
  return size_t(train_.processes->rank()) + own * size_t(train_.processes->size());
}

// What the strategy does between two steps.
void Loop::tell_step() {
  if (!setup_.strategy->after_step) return;
  const NoGradient still;
  const RandomScope random({train_.seed, uint64_t(step_), 0, after_step_draws});
  struct AfterStep {
    rgm_train& train;
    ~AfterStep() {
      train.after_step = 0;
      train.batches.clear();
    }
  } const now{train_};
  train_.after_step = step_;
  const auto ended = end_in([&] {
    const Joint joint(train_);
    call_plugin(setup_.strategy_name, "after_step", [&] { return setup_.strategy->after_step(self_, &train_, step_); });
  });
  if (any_of_them(*train_.processes, ended.has_value())) end_in_all(ended);
}

Tensor Loop::trained_loss_of(size_t micro_batch, Batch* batch) {
  const Routed routed(train_, share_of_tokens(train_, *batch));
  Tensor loss = loss_of(micro_batch, batch);
  routed.tell();
  if (!loss.needs_gradient() && step_ == 1 && micro_batch == number_of(0) && !trains_experts_alone(setup_.parameters))
    invalid(
        "{}: the loss depends on nothing that is trained: see `trainable` and `adapter`. If the strategy is your own: "
        "no gradient gets through detach, or through values that were read",
        train_.stage);
  return loss;
}

Tensor Loop::loss_of(size_t micro_batch, Batch* batch) {
  const RandomScope random({train_.seed, uint64_t(step_), uint32_t(micro_batch), 0});
  rgm_tensor* out = nullptr;
  call_plugin(setup_.strategy_name, "loss", [&] { return setup_.strategy->loss(self_, &train_, batch, &out); });
  Tensor loss = Tensor::adopt(out);
  require_scalar(loss, setup_.strategy_name);
  return loss;
}

void Loop::log_step() {
  last_loss_ = item(loss_);
  const double norm = item(norm_);
  require_finite();
  if (norm == 0 && !warned_of_zero_) {
    warned_of_zero_ = true;
    log::end_progress();
    log::warning(
        "{}: at step {} the gradient is exactly zero: the loss does not depend on what is trained, or nothing "
        "in its batch counts, as where all answers to a prompt have the same score",
        train_.stage, step_);
  }
  progress_->step({step_, tokens_, last_loss_, rate(), norm, train_seconds_}, train_.read_metrics());
  logged_at_ = step_;
}

void Loop::stop_with_checkpoint() {
  log::end_progress();
  checkpoint();
  throw Interrupted(fmt::format("{}: interrupted after step {}, checkpoint written", train_.stage, step_));
}

}  // namespace rgm
