// widened.cpp - float32 copies of bfloat16 views, and the way back.
#include "tensor/widened.hpp"

#include "tensor/kernel.hpp"

namespace rgm {

void Widened::read(const rgm_view*& v) {
  if (!v || v->dtype != RGM_BF16) return;
  const Tensor copy = empty_like(*v, RGM_F32);
  kernel::copy(*v, copy.view());
  copies_.push_back(copy);
  v = &copy.view();  // lies in the tensor, which copies_ keeps
}

void Widened::write(const rgm_view*& v, bool keep) {
  if (!v || v->dtype != RGM_BF16) return;
  const rgm_view narrow = *v;
  const Tensor copy = empty_like(narrow, RGM_F32);
  if (keep) kernel::copy(narrow, copy.view());
  copies_.push_back(copy);
  written_.emplace_back(copy, narrow);
  v = &copy.view();
}

void Widened::finish() {
  for (const auto& [copy, narrow] : written_) kernel::copy(copy.view(), narrow);
}

}  // namespace rgm
