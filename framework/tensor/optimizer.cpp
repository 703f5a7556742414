// optimizer.cpp - what optimizers need: the sum of squares for clipping, the AdamW step, sums by index.
#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/composed.hpp"
#include "tensor/support.hpp"
#include "tensor/views.hpp"

namespace rgm::ops {

void scatter_add(const Tensor& y, int32_t axis, const Tensor& index, const Tensor& x) {
  kernel::scatter_add(axis_of(axis, y.rank(), "scatter_add"), index.view(), x.view(), y.view());
}

Tensor sum_of_squares(std::span<const Tensor> xs) {
  const NoGradient no_gradient;
  const rgm_kernels& k = kernel::table();
  if (RGM_HAS(&k, sum_of_squares)) {
    std::vector<rgm_view> lists;
    std::vector<const rgm_view*> pointers;
    lists.reserve(xs.size());
    for (const Tensor& x : xs) {
      require(x.dtype() == RGM_F32, "sum_of_squares: a tensor of {}, expected float32", name_of(x.dtype()));
      pointers.push_back(&lists.emplace_back(views::in_memory_order(x.view())));
    }
    Tensor y = empty({});
    if (kernel::ran(
            k.sum_of_squares(kernel::queue(), static_cast<uint32_t>(pointers.size()), pointers.data(), &y.view())))
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
    // Element by element, so transposed ones go in the order in which they lie in memory, which kernels are fast in.
    std::vector<std::array<rgm_view, 5>> lists(items.size());
    std::vector<rgm_adamw> args;
    std::vector<const rgm_adamw*> pointers;
    args.reserve(items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      const AdamWItem& item = items[i];
      const Tensor* all[] = {&item.gradient, &item.parameter, &item.m, &item.v, &item.copy};
      const bool alike = std::ranges::all_of(
          all, [&](const Tensor* t) { return !*t || views::same_layout(t->view(), item.parameter.view()); });
      for (size_t j = 0; j < 5; ++j)
        if (*all[j]) lists[i][j] = alike ? views::in_memory_order(all[j]->view()) : all[j]->view();
      args.push_back({sizeof(rgm_adamw), item.draw ? uint32_t{RGM_ADAMW_NARROW} : 0, &lists[i][0], &lists[i][1],
                      &lists[i][2], &lists[i][3], item.copy ? &lists[i][4] : nullptr,
                      item.draw ? &item.draw.view() : nullptr});
      pointers.push_back(&args.back());
    }
    if (kernel::ran(k.adamw(kernel::queue(), &hyper.view(), static_cast<uint32_t>(pointers.size()), pointers.data())))
      return;
  }
  for (const AdamWItem& item : items) {
    if (item.draw) throw Error(RGM_UNSUPPORTED, "adamw: this backend has no moments in bfloat16");
    composed::adamw(hyper, item);
  }
}

// By a step that is not taken.
bool has_narrow_adamw() {
  const Tensor one = full({1}, 0), narrow = full({1}, 0, RGM_BF16), hyper = full({8}, std::nan(""));
  const AdamWItem item{one, full({1}, 0), narrow, full({1}, 0, RGM_BF16), {}, full({}, 0, RGM_I32)};
  try {
    adamw(hyper, std::span(&item, 1));
    return true;
  } catch (const Error& e) {
    if (e.status() != RGM_UNSUPPORTED) throw;
    return false;
  }
}

}  // namespace rgm::ops
