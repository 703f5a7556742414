// loop_memory.cpp - memory that ran out in the middle of a stage: who holds what, and what to set so that it fits.
#include <set>

#include "base/text.hpp"
#include "tensor/quantized.hpp"
#include "train/loop.hpp"

namespace rgm {
namespace {

// All stores of the stage: the policy's, what plug-ins filed, and those of the models beside it.
std::set<const Parameters*> stores_of(const TrainSetup& setup) {
  std::set<const Parameters*> all(setup.parameters.begin(), setup.parameters.end());
  const auto add = [&](const Model& model) { all.insert({&model.parameters(), &model.extra()}); };
  if (setup.train->policy) add(*setup.train->policy);
  for (const auto& [role, used] : setup.train->roles)
    if (used.model) add(*used.model);
  for (const auto& [role, follower] : setup.train->followers)
    for (const Follower::Store& store : follower.stores) all.insert(store.own);
  return all;
}

// What fewer rows at once, or less of the model to train, would make fit.
std::string advice(const std::string& stage, const TrainSettings& s, int64_t processes) {
  const int64_t rows = rows_at_once(s, processes);
  if (rows > 1)
    return fmt::format(
        "Half as many rows at once need less, and the steps stay the same: --set stages.{}.micro_batch={}", stage,
        rows / 2);
  return "Even one row at a time is too much: use a smaller model, set a smaller length, or train less of the model, "
         "as with `trainable: {last: 2}` or an adapter";
}

}  // namespace

// The last checkpoint stays as it is.
void Loop::out_of_memory(const char* what) {
  uint64_t weights = 0, gradients = 0;
  std::set<const rgm_tensor*> counted;  // models may share some
  const auto once = [&](const Tensor& t) { return counted.insert(t.get()).second ? held_bytes(t) : 0; };
  for (const Parameters* store : stores_of(setup_))
    for (const Parameter& p : store->all()) {
      weights += once(p.value) + once(p.half);
      gradients += held_bytes(p.value.gradient());
    }
  const uint64_t moments = optimizer_.state_bytes(), in_use = current_device().bytes_when_refused();
  const uint64_t average = average_.bytes(), held = weights + gradients + moments + average;
  throw Error(
      RGM_NO_MEMORY,
      fmt::format("{}: at step {}: {}: weights {}, gradients {}, moments {}, {}{} for activations and the rest. {}",
                  train_.stage, step_, what, bytes_for_people(weights), bytes_for_people(gradients),
                  bytes_for_people(moments),
                  average ? fmt::format("their average {}, ", bytes_for_people(average)) : "",
                  bytes_for_people(in_use - std::min(in_use, held)),
                  advice(train_.stage, setup_.settings, train_.processes->size())));
}

}  // namespace rgm
