// optimizer.cpp - what optimizers need: the sum of squares for clipping, the AdamW step, sums by index.
#include "tensor/composed.hpp"
#include "tensor/support.hpp"

namespace rgm::ops {

void scatter_add(const Tensor& y, int32_t axis, const Tensor& index, const Tensor& x) {
  kernel::scatter_add(axis_of(axis, y.rank(), "scatter_add"), index.view(), x.view(), y.view());
}

Tensor sum_of_squares(std::span<const Tensor> xs) {
  const NoGradient no_gradient;
  const rgm_kernels& k = kernel::table();
  if (RGM_HAS(&k, sum_of_squares)) {
    std::vector<const rgm_view*> views;
    for (const Tensor& x : xs) {
      require(x.dtype() == RGM_F32, "sum_of_squares: a tensor of {}, expected float32", name_of(x.dtype()));
      views.push_back(&x.view());
    }
    const Tensor y = empty({});
    if (kernel::ran(k.sum_of_squares(kernel::queue(), static_cast<uint32_t>(views.size()), views.data(), &y.view())))
      return y;
  }
  return composed::sum_of_squares(xs);
}

void adamw(const Tensor& hyper, std::span<const AdamWItem> items) {
  const NoGradient no_gradient;
  require(hyper.shape() == Shape({8}) && hyper.dtype() == RGM_F32, "adamw: hyper has shape {}, expected (8)",
          hyper.shape().text());
  for (const AdamWItem& item : items)
    require(item.gradient.shape() == item.parameter.shape() && item.m.shape() == item.parameter.shape() &&
                item.v.shape() == item.parameter.shape(),
            "adamw: gradient {}, parameter {}, moments {} and {} differ in shape", item.gradient.shape().text(),
            item.parameter.shape().text(), item.m.shape().text(), item.v.shape().text());
  const rgm_kernels& k = kernel::table();
  if (RGM_HAS(&k, adamw)) {
    std::vector<rgm_adamw> args;
    std::vector<const rgm_adamw*> pointers;
    args.reserve(items.size());
    for (const AdamWItem& item : items) {
      args.push_back({sizeof(rgm_adamw), 0, &item.gradient.view(), &item.parameter.view(), &item.m.view(),
                      &item.v.view(), item.copy ? &item.copy.view() : nullptr});
      pointers.push_back(&args.back());
    }
    if (kernel::ran(k.adamw(kernel::queue(), &hyper.view(), static_cast<uint32_t>(pointers.size()), pointers.data())))
      return;
  }
  for (const AdamWItem& item : items) composed::adamw(hyper, item);
}

}  // namespace rgm::ops
