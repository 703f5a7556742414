// hooked.hpp - modules of the transformer with what acts at their sites, and dropout: nothing, in the common case.
#pragma once
#include "model/model.hpp"
#include "tensor/ops.hpp"

namespace rgm {

class Hooked {
 public:
  explicit Hooked(const Model& model)
      : hooks_(model.hooks()),
        dtype_(model.dtype()),
        dropout_(model.training && recording() ? model.config().dropout : 0) {}

  void begin(std::span<const int32_t> rows, int64_t count) const {
    if (hooks_) hooks_->begin(rows, count);
  }
  bool acts_before(size_t site) const { return hooks_ && hooks_->has_input(site); }
  bool acts_after(size_t site) const { return hooks_ && hooks_->has_output(site); }
  Tensor input(size_t site, const Tensor& x) const;
  Tensor output(size_t site, const Tensor& x, Tensor y) const;
  Tensor prompt(size_t site) const;
  std::pair<Tensor, Tensor> key_values(size_t site) const;

  // activation(x w^T + b) with the part's own hooks
  Tensor linear(const LinearPart& part, const Tensor& x, int32_t activation = 0) const {
    return linear(part, x, activation, dtype_);
  }
  // The end of a module that began with x: residual + part(inner), in one kernel where nothing acts in between.
  Tensor end_of_module(size_t module, const Tensor& x, const LinearPart& part, const Tensor& inner,
                       Tensor residual) const;

  // The same without the residual.
  Tensor end_of_module(size_t module, const Tensor& x, const LinearPart& part, const Tensor& inner) const;
  // Of one that ends with no part of its own: y is its answer.
  Tensor end_of_module(size_t module, const Tensor& x, const Tensor& y) const;

  double dropout_now() const { return dropout_; }
  Tensor dropout(size_t site, const Tensor& x) const;
  // Random numbers of a site are its own; 0 is what is drawn outside of all sites.
  static SiteScope draws(size_t site) { return SiteScope(static_cast<uint32_t>(site + 1)); }

 private:
  Tensor linear(const LinearPart& part, const Tensor& x, int32_t activation, rgm_dtype dtype) const;

  Hooks* hooks_;
  rgm_dtype dtype_;  // of what linear() answers
  double dropout_;
};

}  // namespace rgm
