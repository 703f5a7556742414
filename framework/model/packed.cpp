// packed.cpp - a model that is only read gives its matrices to the backend, which lays them out as it reads them.
#include "tensor/packed.hpp"

#include "model/hooked.hpp"
#include "model/model.hpp"
#include "tensor/quantized.hpp"
#include "tensor/tape.hpp"

namespace rgm {

// What acts at a site may want its weight, or a part of it.
void Model::pack(const LinearPart& part, std::span<const size_t> sites) {
  const Hooked hooked(*this);
  for (const size_t site : sites)
    if (hooked.acts_before(site) || hooked.acts_after(site)) return;
  Tensor& weight = parameters_.find(part.weight->name)->value;
  if (is_quantized(weight)) return;  // it would be ten times as large
  const Tensor whole = packed(weight);
  if (!packed_form(whole)) return;
  weight = whole;
  for (const size_t site : sites) {
    Tensor& seen = sites_[site].weight;
    rgm_view nothing = seen.view();
    nothing.data = whole.view().data;
    std::fill_n(nothing.stride, nothing.rank, int64_t{0});
    seen = alias(whole, nothing);
  }
  packed_ = true;
  current_device().trim();  // the plain one would lie idle
}

void Model::pack() {
  const NoGradient no_gradient;
  if (dtype_ != RGM_F32) return;
  for (const LayerPart& layer : layers_) {
    if (layer.qkv) pack(layer.qkv, std::array{layer.query.site, layer.key.site, layer.value.site});
    for (const LinearPart* linear :
         {&layer.query, &layer.key, &layer.value, &layer.output, &layer.gate, &layer.up, &layer.down})
      if (*linear) pack(*linear, std::array{linear->site});
    std::vector<ExpertPart> without_sites = layer.experts;
    if (layer.shared_gate) without_sites.push_back(layer.shared);
    for (const ExpertPart& expert : without_sites)
      for (const LinearPart* linear : {&expert.gate, &expert.up, &expert.down}) pack(*linear, {});
    for (const LinearPart* linear : {&layer.router, &layer.shared_gate})
      if (*linear) pack(*linear, {});
  }
  if (config_.outputs > 0) return;
  if (Parameter* const own = parameters_.find("head.weight")) return pack(LinearPart{own}, {});
  packed_head_ = packed(head_weight());
  packed_ = packed_ || packed_form(packed_head_);
}

}  // namespace rgm
