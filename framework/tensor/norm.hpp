// norm.hpp - the arguments of the kernels norm and norm_grad.
#pragma once
#include "tensor/tensor.hpp"

namespace rgm {

// x (M, C); `mean` empty: root mean square; `b` may be empty. The views must outlive the arguments.
inline rgm_norm norm_arguments(const rgm_view& x, const Tensor& w, const Tensor& b, const Tensor& mean,
                               const Tensor& rstd, double epsilon) {
  rgm_norm args{};
  args.struct_size = sizeof args;
  args.features = (mean ? uint32_t{RGM_NORM_MEAN} : 0) | (b ? uint32_t{RGM_NORM_BIAS} : 0);
  args.epsilon = epsilon;
  args.x = &x;
  args.w = &w.view();
  args.b = b ? &b.view() : nullptr;
  args.mean = mean ? &mean.view() : nullptr;
  args.rstd = &rstd.view();
  return args;
}

}  // namespace rgm
