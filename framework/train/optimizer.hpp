// optimizer.hpp - AdamW (arXiv 1711.05101), SGD with momentum and Muon (see muon.hpp), over everything that is trained.
// State exists for trained parameters only.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/parameters.hpp"
#include "train/settings.hpp"

namespace rgm {

class Optimizer {
 public:
  // RGM_INVALID where the device has no moments of the type that is asked for.
  Optimizer(const OptimizerSpec& spec, std::span<Parameters* const> stores);

  // One update from the gradients, which it takes; `step` counts from 1. Gradients are scaled to the norm `clip` (0:
  // not at all). Answers the norm before that, () on the device. From the first step on whose norm or `loss` is not
  // finite, everything stays as it was before it.
  Tensor step(int64_t step, double learning_rate, double clip, const Tensor& loss);
  int64_t steps_missed() const;  // how many that were; waits
  // Every state tensor by name ("m0.embedding.weight", by the number of its store), in a fixed order.
  void visit(const std::function<void(const std::string& name, const Tensor& value)>& see) const;
  int64_t parameters() const;  // elements that are trained
  uint64_t state_bytes() const;

 private:
  struct Item {
    Parameter* parameter;
    size_t store;
    Tensor m, v;  // v is AdamW's; of spec.moments where both are there
    bool decays, by_muon;
    size_t rate;  // its place in rates_
  };
  void sgd(Item& item, const Tensor& gradient, const Tensor& factor, double rate) const;

  OptimizerSpec spec_;
  std::vector<Item> items_;
  std::vector<double> rates_;  // each once; first that of all parameters without one of their own
  Tensor sound_;               // (): 0, and NaN from the first step on that was not finite
  Tensor missed_;
};

}  // namespace rgm
