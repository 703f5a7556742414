// routed.hpp - while the loss of a batch is made, the policy's passes tell how they share their tokens among experts.
#pragma once
#include <memory>

#include "train/trainer.hpp"

namespace rgm {

class Routed {
 public:
  // `share` of the step's tokens are in this batch. Nothing where the policy has no experts.
  Routed(rgm_train& train, double share);
  ~Routed();
  Routed(const Routed&) = delete;
  Routed& operator=(const Routed&) = delete;
  // What the passes so far have told becomes the metric "busiest_expert": the share of the tokens that the expert with
  // the most of them has, the mean over layers.
  void tell() const;

 private:
  rgm_train& train_;
  std::shared_ptr<Routing> routing_;
};

// Of the tokens in the columns of the step's batches, padding left out, the share that `batch` has; 1 where there is no
// such column.
double share_of_tokens(const rgm_train& train, const Batch& batch);
// Whether all that is trained are experts: in a step where no token meets them, the loss depends on none of it.
bool trains_experts_alone(std::span<Parameters* const> stores);
// Whether passes of one of the stage's models wait for what they compute.
bool waits_in_passes(const TrainSetup& setup);

}  // namespace rgm
