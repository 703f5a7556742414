// adapter_merge.cpp - adapters folded into the linear layers that they act on.
#include "host/adapter_instance.hpp"
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
    failure("{}: merge answered the {} {} at {}, {} was expected; its author has to correct it", name, what,
            merged ? merged.shape().text() : "NULL", site, own.shape().text());
}

}  // namespace

void Adapters::merge() {
  const NoGradient no_gradient;
  for (const auto& a : instances_) {
    require(RGM_HAS(a->table, merge), "adapter \"{}\" cannot be merged: {}; give it with --adapter instead", a->id,
            why_not(*a->table));
    for (const Instance::Place& place : a->places) {
      const SiteInfo& site = model_->sites()[place.site];
      require(site.kind != RGM_EMBEDDING_SITE || !model_->config().is_tied(),
              "adapter \"{}\" cannot be merged: it changes what the embedding gives, which is the head's weight as "
              "well; give it with --adapter instead",
              a->id);
      rgm_tensor *weight = nullptr, *bias = nullptr;
      call_plugin(a->name, "merge", [&] {
        return a->table->merge(a->self, place.state, site.weight.get(), site.bias.get(), &weight, &bias);
      });
      const Tensor w = Tensor::adopt(weight), b = Tensor::adopt(bias);
      require_alike(w, site.weight, "weight", a->name, site.name);
      require(!b || site.bias, "adapter \"{}\" cannot be merged: {} would need a bias, which this family has not",
              a->id, site.name);
      if (b) require_alike(b, site.bias, "bias", a->name, site.name);
      assign(site.weight, w);
      if (b) assign(site.bias, b);
    }
  }
  instances_.clear();
}

}  // namespace rgm
