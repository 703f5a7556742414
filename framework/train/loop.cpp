// loop.cpp - a step after the other: gradients of all micro-batches, one update, and what is due after it.
#include "train/loop.hpp"

#include <algorithm>

#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "tensor/ops.hpp"

namespace rgm {

Loop::Loop(TrainSetup& setup, void* self)
    : setup_(setup),
      train_(*setup.train),
      self_(self),
      checkpoints_(setup.folder / "checkpoint"),
      feed_(setup, self),
      optimizer_(setup.settings.optimizer, setup.parameters),
      steps_(steps_of(setup)) {
  // From here on the policy moves, and a model that only annotates has done its work.
  train_.makes_reference = false;
  for (const rgm_role* const* wanted = setup.strategy->roles; *wanted; ++wanted)
    if ((*wanted)->flags & RGM_ANNOTATES) train_.roles.erase((*wanted)->name);
}

TrainResult Loop::run() {
  resume();
  progress_.emplace(train_.stage, setup_.folder, step_, steps_, tokens_, train_seconds_);
  last_checkpoint_ = Clock::now();
  try {
    if (evaluation_is_due()) evaluate();
    while (step_ < steps_)
      if (!one_step()) break;
    log::end_progress();
    finish();
  } catch (const Stopped&) {
    stop_with_checkpoint();
  }
  return std::move(result_);
}

double Loop::rate() const { return learning_rate(setup_.settings.optimizer, setup_.settings.schedule, step_, steps_); }

// False: the strategy ended the stage, as if its steps were done.
bool Loop::one_step() {
  const TrainSettings& s = setup_.settings;
  ++step_;
  try {
    const Stopwatch watch(train_seconds_);
    learn(rate());
  } catch (const Error& e) {
    if (e.status() != RGM_CANCELLED) throw;
    end_early(e.what());
    return false;
  }
  if (step_ == steps_ || step_ % std::max<int64_t>(s.log_every, 1) == 0) log_step();
  if (evaluation_is_due()) evaluate();
  const bool by_steps = s.checkpoint_every > 0 && step_ % s.checkpoint_every == 0;
  const bool by_time =
      s.checkpoint_minutes > 0 &&
      std::chrono::duration<double>(Clock::now() - last_checkpoint_).count() >= 60 * s.checkpoint_minutes;
  if (interrupted()) throw Stopped();
  if (step_ < steps_ && (by_steps || by_time)) checkpoint();
  return !setup_.after_step || setup_.after_step(step_, tokens_);
}

void require_scalar(const Tensor& loss, const std::string& strategy) {
  require(static_cast<bool>(loss), "{}: loss answered no tensor, one number was expected; its author has to correct it",
          strategy);
  require(loss.count() == 1, "{}: loss answered the shape {}, one number was expected; its author has to correct it",
          strategy, loss.shape().text());
}

// The step that was begun does not count: what it left on the way is dropped.
void Loop::end_early(const char* reason) {
  steps_ = --step_;
  train_.policy->training = false;
  for (Parameters* store : setup_.parameters)
    for (Parameter& p : store->all()) p.value.take_gradient();
  log::end_progress();
  log::info("{}: ends after step {}: {}", train_.stage, step_, reason);
  if (loss_ && logged_at_ != step_) log_step();
  if (evaluation_is_due()) evaluate();
}

// Gradients of all micro-batches, then one update.
void Loop::learn(double rate) {
  const std::vector<Batch*> batches = feed_.next();
  train_.begin_step(batches);
  train_.policy->training = true;
  Tensor loss;
  for (size_t i = 0; i < batches.size(); ++i) {
    const RandomScope random({train_.seed, uint64_t(step_), uint32_t(i), 0});
    rgm_tensor* out = nullptr;
    call_plugin(setup_.strategy_name, "loss", [&] { return setup_.strategy->loss(self_, &train_, batches[i], &out); });
    const Tensor part = Tensor::adopt(out);
    require_scalar(part, setup_.strategy_name);
    if (!part.needs_gradient() && step_ == 1 && i == 0)
      invalid("{}: the loss depends on nothing that is trained; see `trainable` and `adapter`", train_.stage);
    if (part.needs_gradient()) backward(part);
    const NoGradient still;
    loss = loss ? loss + ops::detach(part) : ops::detach(part);
    batches[i]->uploaded.clear();
    train_.batches.clear();
  }
  train_.policy->training = false;
  loss_ = loss;
  norm_ = optimizer_.step(step_, rate, setup_.settings.clip);
  tokens_ += feed_.tokens();
}

void Loop::log_step() {
  last_loss_ = item(loss_);
  const double norm = item(norm_);
  if (!std::isfinite(last_loss_)) not_finite("the loss");
  if (!std::isfinite(norm)) not_finite("the gradient");
  if (norm == 0 && !warned_of_zero_) {
    warned_of_zero_ = true;
    log::end_progress();
    log::warning("{}: at step {} the gradient is exactly zero: the loss does not depend on what is trained",
                 train_.stage, step_);
  }
  progress_->step({step_, tokens_, last_loss_, rate(), norm, train_seconds_}, train_.read_metrics());
  logged_at_ = step_;
}

// Names the first parameter that is broken; the last checkpoint stays as it is.
void Loop::not_finite(const std::string& what) {
  std::string where;
  for (const Parameters* store : setup_.parameters)
    for (const Parameter& p : store->all()) {
      if (!p.trained || !where.empty()) continue;
      const std::vector<float> values = to_host(p.value);
      if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }))
        where = ", first seen in " + p.name;
    }
  const bool has_checkpoint = checkpoints_.newest().has_value();
  failure("{}: at step {} {} is not finite{}; a lower learning rate, more warm-up or clipping may help. {}",
          train_.stage, step_, what, where,
          has_checkpoint ? "The last checkpoint is kept in " + (setup_.folder / "checkpoint").string()
                         : "There is no checkpoint yet; `checkpoint: {every: N}` writes some");
}

void Loop::stop_with_checkpoint() {
  log::end_progress();
  checkpoint();
  throw Interrupted(fmt::format("{}: interrupted after step {}, checkpoint written", train_.stage, step_));
}

}  // namespace rgm
