// adapter_merge.cpp - adapters folded into the linear layers that they act on.
#include "host/adapter_instance.hpp"
#include "tensor/quantized.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {

// Why no weight of a linear layer does the same.
std::string why_not(const rgm_adapter& table) {
  if (RGM_HAS(&table, key_values)) return "it puts keys and values in front of the text";
  if (RGM_HAS(&table, prompt)) return "it puts vectors in front of the text";
  return "it computes more than a linear layer does";
}

void require_alike(const Tensor& merged, const Tensor& own, const char* what, const std::string& name,
                   const std::string& site) {
  if (!merged || merged.shape() != own.shape())
    failure("{}: merge returned the {} {} at {}, {} was expected; its author has to correct it", name, what,
            merged ? merged.shape().text() : "NULL", site, own.shape().text());
}

}  // namespace

void require_mergeable(const std::string& id, const rgm_adapter& table, std::string_view otherwise) {
  require(RGM_HAS(&table, merge), "adapter \"{}\" cannot be merged: {}; {}", id, why_not(table), otherwise);
}

void Adapters::merge(std::string_view otherwise) {
  const NoGradient no_gradient;
  for (const auto& a : instances_) {
    require_mergeable(a->id, *a->table, otherwise);
    for (const Instance::Place& place : a->places) {
      const SiteInfo& site = model_->sites()[place.site];
      require(!is_quantized(site.weight),
              "adapter \"{}\" cannot be merged into a model in four bits; open it in float32, or {}", a->id, otherwise);
      require(site.kind != RGM_EMBEDDING_SITE || !model_->config().is_tied(),
              "adapter \"{}\" cannot be merged: it changes the embedding, and the head shares its weight; {}", a->id,
              otherwise);
      rgm_tensor *weight = nullptr, *bias = nullptr;
      call_plugin(a->name, "merge", [&] {
        return a->table->merge(a->self, place.state, site.weight.get(), site.bias.get(), &weight, &bias);
      });
      const Tensor w = Tensor::adopt(weight), b = Tensor::adopt(bias);
      require_alike(w, site.weight, "weight", a->name, site.name);
      require(!b || site.bias, "adapter \"{}\" cannot be merged: {} would need a bias, which this family does not have",
              a->id, site.name);
      if (b) require_alike(b, site.bias, "bias", a->name, site.name);
      assign(site.weight, w);
      if (b) assign(site.bias, b);
    }
  }
  instances_.clear();
}

}  // namespace rgm
