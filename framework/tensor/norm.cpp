// norm.cpp - layer norm and root-mean-square norm over the last axis.
#include "tensor/norm.hpp"

#include "tensor/composed.hpp"
#include "tensor/gradients.hpp"
#include "tensor/support.hpp"

namespace rgm::ops {
namespace {

void require_channels(const char* name, const char* what, const Tensor& w, const Tensor& x) {
  require(w.rank() == 1, "{}: {} has {} dimensions, expected 1", name, what, w.rank());
  require(w.size(0) == x.size(-1), "{}: {} has {} elements, x has {} channels", name, what, w.size(0), x.size(-1));
}

Tensor norm(const char* name, const Tensor& input, const Tensor& weight, const Tensor& bias, double epsilon,
            bool centred, rgm_dtype dtype) {
  require(input.rank() >= 1, "{}: x has no axes", name);
  require_channels(name, "weight", weight, input);
  if (bias) require_channels(name, "bias", bias, input);
  const Tensor x = as_float(input), w = as_float(weight), b = bias ? as_float(bias) : bias;
  const bool records = would_record({&x, &w, &b});
  const rgm_kernels& k = kernel::table();
  const auto composed = [&] { return cast(composed::norm(x, w, b, epsilon, centred), dtype); };
  if (!RGM_HAS(&k, norm) || (records && !RGM_HAS(&k, norm_grad))) return composed();
  const Tensor rows = rows_of(x);
  const Shape M{rows.size(0)};
  Tensor y = empty(x.shape(), dtype);
  const Tensor mean = centred ? empty(M) : Tensor(), rstd = empty(M);
  const rgm_view y_rows = *views::rows(y.view());
  rgm_norm args = norm_arguments(rows.view(), w, b, mean, rstd, epsilon);
  args.y = &y_rows;
  if (!kernel::ran_with(k.norm, args, {}, {&rgm_norm::y})) return composed();
  if (records) record(name, gradients::norm, {&x, &w, &b}, {&y}, {x, w, b, mean, rstd}, {.f = {epsilon}});
  return y;
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& w, const Tensor& b, double epsilon, rgm_dtype dtype) {
  return norm("layer_norm", x, w, b, epsilon, true, dtype);
}
Tensor rms_norm(const Tensor& x, const Tensor& w, double epsilon, rgm_dtype dtype) {
  return norm("rms_norm", x, w, {}, epsilon, false, dtype);
}

}  // namespace rgm::ops
