// loop_finite.cpp - a loss or gradient that is not finite: the step that met it changed nothing, and nor did those
// after it, so what can be looked at afterwards is what it met.
#include "base/log.hpp"
#include "tensor/ops.hpp"
#include "train/first_broken.hpp"
#include "train/loop.hpp"

namespace rgm {

void Loop::require_finite() {
  const int64_t missed = optimizer_.steps_missed();
  if (missed == 0) return;
  const bool of_loss = !std::isfinite(last_loss_);
  not_finite(step_ - missed + 1, missed == 1 ? of_loss ? "the loss" : "the gradient" : "the loss or its gradient");
}

// The last checkpoint stays as it is.
void Loop::not_finite(int64_t step, const std::string& what) {
  gradients_.forget();
  const std::string where = first_broken_of_last_batches();
  failure("{}: at step {} {} is not finite{}; a lower learning rate, more warm-up or clipping may help. {}",
          train_.stage, step, what, where.empty() ? "" : ", first seen in " + where,
          checkpoints_.any()
              ? "The last checkpoint is kept in " + (setup_.folder / "checkpoint").string() +
                    "; with another rate the stage starts over, and that one waits for the current settings"
              : "There is no checkpoint yet; `checkpoint: {every: N}` writes some");
}

std::string Loop::first_broken_of_last_batches() {
  const std::vector<Batch*> batches = feed_.last();
  train_.begin_step(batches);
  train_.policy->training = !(setup_.strategy->flags & RGM_WITHOUT_DROPOUT);
  std::string found;
  try {
    for (size_t i = 0; i < batches.size() && found.empty(); ++i)
      found = first_broken(loss_of(i, batches[i]), setup_.parameters);
  } catch (const Error&) {  // what failed first is what is told
  }
  return found;
}

}  // namespace rgm
