// head.hpp - one number from each hidden state of a model: the head of a learned reward, or of a critic.
#pragma once
#include <cmath>

#include "model.hpp"

namespace regimen RGM_PRIVATE {

// w h + b, with w (1, C) and b (1) in the scope it is attached to.
class ScalarHead {
 public:
  // Weights start normal with deviation 1 / sqrt(C + 1) (arXiv 2009.01325), so that scores of a new head lie near 0.
  void attach(const Scope& scope, int64_t channels) {
    weight_ = scope.param("weight", {1, channels}, Init::normal(1 / std::sqrt(double(channels + 1))));
    bias_ = scope.param("bias", {1}, Init::fill(0));
  }
  // hidden (B, T, C) -> (B, T)
  Tensor each(const Tensor& hidden) const {
    const rgm_view v = hidden.view();
    require(v.rank == 3, "a head reads states of the shape (B, T, C)");
    return reshape(numbers(hidden, v.shape[2]), {v.shape[0], v.shape[1]});
  }
  // hidden (B, T, C), and the examples' ends (E) as in a batch -> (E)
  Tensor last(const Tensor& hidden, const Tensor& ends) const {
    const rgm_view v = hidden.view();
    require(v.rank == 3, "a head reads states of the shape (B, T, C)");
    return numbers(gather(reshape(hidden, {-1, v.shape[2]}), 0, ends), v.shape[2]);
  }

 private:
  Tensor numbers(const Tensor& states, int64_t channels) const {
    return reshape(matmul(reshape(states, {-1, channels}), t(weight_)) + bias_, {-1});
  }

  Tensor weight_, bias_;
};

// What a learned reward inherits that scores an answer by one number, from the state after its last token. It then has
// columns and a loss of its own.
class ScalarReward {
 public:
  void attach(const rgm_model_info& model, const Scope& scope) { head_.attach(scope, model.channels); }
  Tensor scores(const Tensor& hidden, const Tensor& ends) const { return head_.last(hidden, ends); }

 private:
  ScalarHead head_;
};

}  // namespace regimen
