// sites.cpp - the layers of a model and the sites in them, found among its parameters.
#include "model/sites.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "model/model.hpp"
#include "tensor/quantized.hpp"
#include "tensor/views.hpp"

namespace rgm {
namespace {

std::string parent(const std::string& name) { return name.substr(0, name.rfind('.')); }
// "transformer.h.3" of "transformer.h.3.attn.attention"
std::string layer_of(const std::string& module, int64_t i) {
  const std::string number = fmt::format(".{}.", i);
  return module.substr(0, module.find(number) + number.size() - 1);
}

}  // namespace

LinearPart Model::linear_part(const std::string& name) const {
  return {parameters_.find(name + ".weight"), parameters_.find(name + ".bias"), 0};
}
NormPart Model::norm_part(const std::string& name) const {
  return {parameters_.find(name + ".weight"), parameters_.find(name + ".bias")};
}

size_t Model::add_site(int32_t kind, int64_t layer, const std::string& ours, const std::string& theirs, int64_t in,
                       int64_t out) {
  SiteInfo site;
  site.kind = kind, site.name = ours, site.theirs = theirs, site.in = in, site.out = out, site.layer = layer;
  sites_.push_back(std::move(site));
  return sites_.size() - 1;
}

// `begin` to `end` are the rows of the part's weight that belong to the site.
size_t Model::add_linear_site(int64_t layer, const std::string& ours, const std::string& theirs, const LinearPart& part,
                              int64_t begin, int64_t end) {
  const Tensor& w = part.weight->value;
  const size_t index = add_site(RGM_LINEAR_SITE, layer, ours, theirs, w.size(1), end - begin);
  const bool whole = end - begin == w.size(0);
  const auto seen = [&](const Tensor& x) {
    if (whole) return x;
    return is_quantized(x) ? quantized_rows(x, begin, end) : alias(x, views::sliced(x.view(), 0, begin, end));
  };
  sites_[index].weight = seen(w);
  if (part.bias) sites_[index].bias = seen(part.bias->value);
  sites_[index].interleaved = !whole && std::ranges::any_of(config_.family->names, &ParameterName::interleaved);
  return index;
}

void Model::add_experts(LayerPart& layer, const std::string& mlp) {
  layer.router = linear_part(mlp + ".router");
  layer.shared_gate = linear_part(mlp + ".shared_gate");
  const auto gated = [&](const std::string& name) {
    return ExpertPart{linear_part(name + ".gate"), linear_part(name + ".up"), linear_part(name + ".down")};
  };
  layer.shared = gated(mlp + ".shared");
  for (int64_t e = 0; e < config_.experts; ++e) {
    const ExpertPart& part = layer.experts.emplace_back(gated(fmt::format("{}.experts.{}", mlp, e)));
    for (const LinearPart* linear : {&part.gate, &part.up, &part.down})
      parameters_.find(linear->weight->name)->may_rest = true;
  }
}

void Model::make_layers() {
  std::map<std::string, std::string> modules;  // by our weight's name, as the family calls them
  for (const ParameterSlot& slot : parameter_slots(config_)) modules.try_emplace(slot.ours, parent(slot.theirs));
  const auto theirs = [&](const std::string& ours) { return modules[ours + ".weight"]; };
  norm_ = norm_part("norm");
  const size_t first = add_site(RGM_EMBEDDING_SITE, -1, "embedding", theirs("embedding"), 0, config_.channels);
  sites_[first].weight = parameters_.find("embedding.weight")->value;
  sites_[first].in = config_.vocabulary;
  if (config_.family->scaled_embedding) sites_[first].scale = std::sqrt(static_cast<double>(config_.channels));
  const int64_t queries = config_.heads * config_.head_dim, keys = config_.kv_heads * config_.head_dim;
  for (int64_t i = 0; i < config_.layers; ++i) {
    const std::string name = fmt::format("layers.{}", i), attention = name + ".attention", mlp = name + ".mlp";
    LayerPart part;
    part.attention_norm = norm_part(attention + "_norm");
    part.mlp_norm = norm_part(mlp + "_norm");
    part.attention_end_norm = norm_part(attention + "_end_norm");
    part.mlp_end_norm = norm_part(mlp + "_end_norm");
    part.query_norm = norm_part(attention + ".query_norm");
    part.key_norm = norm_part(attention + ".key_norm");
    part.qkv = linear_part(attention + ".qkv");
    if (part.qkv) parameters_.find(part.qkv.weight->name)->parts = {queries, keys, keys};
    const auto linear = [&](LinearPart& linear, const std::string& own, int64_t begin = 0, int64_t end = 0) {
      const bool fused = end > 0 && part.qkv;
      linear = linear_part(own);
      if (!fused && !linear) return;
      const LinearPart& weights = fused ? part.qkv : linear;
      linear.site = add_linear_site(i, own, theirs(parent(weights.weight->name)), weights, fused ? begin : 0,
                                    fused ? end : weights.weight->value.size(0));
    };
    linear(part.query, attention + ".query", 0, queries);
    linear(part.key, attention + ".key", queries, queries + keys);
    linear(part.value, attention + ".value", queries + keys, queries + 2 * keys);
    linear(part.output, attention + ".output");
    const std::string their_attention = parent(theirs(attention + ".output"));
    part.attention = add_site(RGM_ATTENTION_SITE, i, attention, their_attention, config_.channels, config_.channels);
    linear(part.gate, mlp + ".gate");
    linear(part.up, mlp + ".up");
    linear(part.down, mlp + ".down");
    if (config_.is_sparse(i)) add_experts(part, mlp);
    std::string their_mlp = parent(theirs(mlp + (part.router ? ".router" : ".down")));
    if (their_mlp == layer_of(their_attention, i)) their_mlp += ".mlp";  // OPT has no module around its matrices
    part.mlp = add_site(RGM_MLP_SITE, i, mlp, their_mlp, config_.channels, config_.channels);
    part.block = add_site(RGM_BLOCK_SITE, i, name, layer_of(their_attention, i), config_.channels, config_.channels);
    layers_.push_back(part);
  }
}

}  // namespace rgm
