// average.hpp - the mean of the trained weights over the steps (Polyak and Juditsky 1992), where older ones count
// exponentially less (Morales-Brotons et al. 2024, arXiv 2411.18704). Steps go on from the plain weights; the mean is
// what is evaluated and kept.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "model/parameters.hpp"

namespace rgm {

// How much of the mean stays in a step, which counts from 1: min(decay, (1 + step) / (10 + step)), so that a short
// run's mean is over about the last tenth of its steps, and its starting weights have no part in it.
double decay_at(double decay, int64_t step);

class Average {
 public:
  // Starts as what is trained now; with a decay of 0 there is none, and nothing below does anything.
  Average(double decay, std::span<Parameters* const> stores);

  void update(int64_t step);  // after the update of the optimizer
  void exchange() const;      // what is trained gets the mean's values, and the mean its
  // `work` with the mean in place of what is trained, which is back afterwards, whatever happens.
  void in_place(const auto& work) const {
    exchange();
    try {
      work();
    } catch (...) {
      exchange();  // a failure of it is told instead: a checkpoint must not be written of the mean
      throw;
    }
    exchange();
  }
  // Every mean by name ("average0.embedding.weight", by the number of its store), in a fixed order.
  void visit(const std::function<void(const std::string& name, const Tensor& value)>& see) const;
  uint64_t bytes() const;

 private:
  struct Item {
    Parameter* parameter;
    size_t store;
    Tensor mean;
  };
  double decay_;
  std::vector<Item> items_;
};

}  // namespace rgm
