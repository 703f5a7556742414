// hooked.cpp - modules of the transformer with what acts at their sites.
#include "model/hooked.hpp"

namespace rgm {

Tensor Hooked::input(size_t site, const Tensor& x) const {
  if (!acts_before(site)) return x;
  const SiteScope scope = draws(site);
  return ops::cast(hooks_->input(site, x), x.dtype());  // what hooks compute is float32
}

Tensor Hooked::output(size_t site, const Tensor& x, Tensor y) const {
  if (!acts_after(site)) return y;
  const SiteScope scope = draws(site);
  const rgm_dtype dtype = y.dtype();
  return ops::cast(hooks_->output(site, x, std::move(y)), dtype);
}

Tensor Hooked::prompt(size_t site) const {
  if (!hooks_) return {};
  const SiteScope scope = draws(site);
  return hooks_->prompt(site);
}

std::pair<Tensor, Tensor> Hooked::key_values(size_t site) const {
  if (!hooks_) return {};
  const SiteScope scope = draws(site);
  return hooks_->key_values(site);
}

Tensor Hooked::dropout(size_t site, const Tensor& x) const {
  if (dropout_ == 0) return x;
  const SiteScope scope = draws(site);
  return ops::dropout(x, dropout_);
}

Tensor Hooked::linear(const LinearPart& part, const Tensor& given, int32_t activation, rgm_dtype dtype) const {
  const Tensor x = input(part.site, given);
  const Tensor& w = part.weight->for_products();
  const Tensor b = part.bias ? part.bias->value : Tensor();
  if (!acts_after(part.site)) return ops::linear(x, w, b, activation, {}, dtype);
  Tensor y = output(part.site, x, ops::linear(x, w, b, 0, {}, dtype));
  return activation ? ops::cast(ops::unary(activation, y), dtype) : y;
}

Tensor Hooked::end_of_module(size_t module, const Tensor& x, const LinearPart& part, const Tensor& inner,
                             Tensor residual) const {
  if (dropout_ == 0 && !acts_after(part.site) && !acts_after(module)) {
    const Tensor given = input(part.site, inner);
    return ops::linear(given, part.weight->for_products(), part.bias ? part.bias->value : Tensor(), 0,
                       std::move(residual));
  }
  return residual + end_of_module(module, x, part, inner);
}

// In float32, as the residual stream is.
Tensor Hooked::end_of_module(size_t module, const Tensor& x, const LinearPart& part, const Tensor& inner) const {
  return end_of_module(module, x, linear(part, inner, 0, RGM_F32));
}
Tensor Hooked::end_of_module(size_t module, const Tensor& x, const Tensor& y) const {
  return output(module, x, dropout(module, y));
}

}  // namespace rgm
