// step_gradients.hpp - the gradients of a step, one micro-batch after the other. Where the device can capture work and
// the strategy is RGM_CAPTURABLE, steps that look like the one before them are one piece of work.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tensor/captured.hpp"
#include "train/session.hpp"

namespace rgm {

class StepGradients {
 public:
  using Loss = std::function<Tensor(size_t micro_batch, Batch* batch)>;
  // `capturable`: what the loss enqueues follows from the layout of its batch, as RGM_CAPTURABLE has it.
  StepGradients(rgm_train& train, std::span<Parameters* const> stores, bool capturable, Loss loss);
  ~StepGradients();
  StepGradients(const StepGradients&) = delete;
  StepGradients& operator=(const StepGradients&) = delete;

  // Leaves the gradients at what is trained, and the step's metrics with the session. The loss, (), is valid until the
  // next call.
  Tensor run(std::span<Batch* const> batches);
  // Gives the memory of captured work back, to what is not a step; the device asks for it where memory is short. The
  // next step like it is captured anew.
  void forget() { captured_.reset(); }

 private:
  struct Gradient {
    Tensor parameter, value;
  };
  struct Work {                                          // captured, and where it reads and writes
    std::vector<std::map<std::string, Tensor>> columns;  // by micro-batch
    std::map<std::string, Tensor> totals;
    Tensor loss;
    std::vector<Gradient> gradients;
    std::map<std::string, rgm_train::Metric> metrics;
    std::optional<Captured> captured;
  };

  Tensor enqueue(std::span<Batch* const> batches);
  bool capture(std::span<Batch* const> batches);
  Tensor replay(std::span<Batch* const> batches);
  std::vector<Gradient> take_gradients() const;

  rgm_train& train_;
  std::span<Parameters* const> stores_;
  Loss loss_;
  std::shared_ptr<Device> device_;
  int captures_left_ = 0;                          // that may fail
  std::string layout_;                             // of the last step's batches
  std::vector<std::vector<std::string>> columns_;  // that its loss asked for, by micro-batch
  std::vector<std::string> totals_;                // that it asked for
  uint64_t kernels_set_ = 0;
  std::shared_ptr<const Work> captured_;
};

}  // namespace rgm
