// gradient_sum.hpp - the gradients of a step, of which each process has those of its own micro-batches, summed over all
// processes, and with them what they have to agree on before the update.
#pragma once
#include <span>
#include <unordered_set>
#include <vector>

#include "base/process_group.hpp"
#include "model/parameters.hpp"

namespace rgm {

class GradientSum {
 public:
  GradientSum(ProcessGroup& processes, std::span<Parameters* const> stores);

  struct Said {           // of a step: here, and as an answer, in any process
    bool stops = false;   // a signal came
    bool ends = false;    // the strategy ends the stage; then gradients stay as they are
    bool is_due = false;  // a checkpoint, by the time
  };
  // In float32, in the order of ranks: everyone has the same bits. A parameter has a gradient afterwards where it has
  // one in any process. `loss`, (), becomes the sum, too.
  Said run(Tensor& loss, Said here);

 private:
  struct Piece {
    void* data;
    size_t count;
  };
  Tensor gradient_to_sum(const Tensor& parameter);
  void add(const Tensor& gradient);
  void flush();

  ProcessGroup& processes_;
  std::vector<Tensor> parameters_;
  std::vector<float> header_, bucket_;  // made once
  std::vector<Tensor> held_;            // of the bucket
  std::vector<Piece> pieces_;
  size_t filled_ = 0;
  std::unordered_set<const Storage*> seen_;  // in this step
};

}  // namespace rgm
