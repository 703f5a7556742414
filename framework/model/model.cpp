// model.cpp - a model's parts: new weights, sites, and what is known about a whole model.
#include "model/model.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "model/hooked.hpp"
#include "model/transformer.hpp"
#include "tensor/ops.hpp"
#include "tensor/quantized.hpp"
#include "tensor/views.hpp"

namespace rgm {
namespace {

constexpr uint32_t initial_draws = 0x696e6974, head_draws = 0x68656164;  // keeps them apart from those of training

constexpr int64_t large_draw = int64_t{16} << 20;  // elements

// A parameter as the slot wants it: memory in the file's order, seen in ours.
Tensor in_slot(const ParameterSlot& slot, const Tensor& in_file_order) {
  return slot.transposed ? alias(in_file_order, views::transposed(in_file_order.view())) : in_file_order;
}

Tensor initial(const ParameterSlot& slot, const ModelConfig& config, uint64_t seed, uint64_t index, rgm_dtype dtype) {
  if (slot.shape.rank() == 1)
    return ops::full(slot.shape, slot.ours.ends_with(".weight") && !config.family->weights_from_one ? 1 : 0);
  const RandomScope scope({.seed = seed, .step = index, .micro_batch = initial_draws});
  const bool onto_stream = slot.ours.ends_with("attention.output.weight") || slot.ours.ends_with("mlp.down.weight");
  // Nguyen and Salazar 2019 (arXiv 1910.05895): GPT-2's 0.02 at its 768 to 1,600 channels, and no less at few.
  const double deviation = std::sqrt(0.4 / static_cast<double>(config.channels));
  const double scale = onto_stream ? deviation / std::sqrt(2.0 * static_cast<double>(config.layers)) : deviation;
  const Shape shape = slot.transposed ? Shape{slot.shape[1], slot.shape[0]} : slot.shape;
  return in_slot(slot, ops::cast(ops::affine(ops::random(shape, RGM_NORMAL), scale, 0), dtype));
}

std::string parent(const std::string& name) { return name.substr(0, name.rfind('.')); }

}  // namespace

Model::Model(ModelConfig config, TokenizerPtr tokenizer)
    : config_(std::move(config)), tokenizer_(std::move(tokenizer)) {
  check(config_);
  if (config_.family->positions != Positions::rotary) return;
  const std::vector<double> frequencies = rope_frequencies(config_);
  const auto pairs = static_cast<int64_t>(frequencies.size());
  std::vector<float> cosines, sines;
  cosines.reserve(static_cast<size_t>(config_.context) * frequencies.size());
  sines.reserve(cosines.capacity());
  for (int64_t t = 0; t < config_.context; ++t)
    for (const double frequency : frequencies) {
      const double angle = static_cast<double>(t) * frequency;
      cosines.push_back(static_cast<float>(std::cos(angle)));
      sines.push_back(static_cast<float>(std::sin(angle)));
    }
  cos_ = from_host(std::span<const float>(cosines), {config_.context, pairs});
  sin_ = from_host(std::span<const float>(sines), {config_.context, pairs});
}

std::shared_ptr<Model> Model::create(const ModelConfig& config, TokenizerPtr tokenizer, uint64_t seed,
                                     const NarrowWeights& narrow) {
  const NoGradient no_gradient;
  std::shared_ptr<Model> out(new Model(config, std::move(tokenizer)));
  uint64_t index = 0;
  int64_t idle = 0;
  for (const ParameterSlot& slot : parameter_slots(out->config_)) {
    const NarrowWeights::Form form = narrow.form(slot, config);
    out->parameters_.add(slot.ours,
                         NarrowWeights::kept(initial(slot, config, seed, index++, NarrowWeights::dtype(form)), form),
                         form == NarrowWeights::Form::float32);
    idle = std::max(idle, slot.shape.count());
    if (idle > large_draw) current_device().trim(), idle = 0;  // what weights were drawn into would lie idle
  }
  current_device().trim();
  out->narrow_ = narrow.any();
  out->make_layers();
  return out;
}

std::shared_ptr<Model> Model::frozen_copy(bool exact) const {
  const NoGradient no_gradient;
  if (packed_) throw Error(RGM_INTERNAL, "a packed model has no copy");
  std::shared_ptr<Model> out(new Model(config_, tokenizer_));
  const auto copied = [](const Tensor& x, rgm_dtype dtype) {
    if (is_quantized(x)) return x;  // nobody writes there
    Tensor y = empty_like(x.view(), dtype);
    assign(y, x);
    return y;
  };
  const NarrowWeights narrow = narrow_ ? NarrowWeights::all() : NarrowWeights();
  for (const ParameterSlot& slot : parameter_slots(config_)) {
    const Parameter* const p = parameters_.find(slot.ours);
    if (!p) continue;
    const rgm_dtype dtype = exact ? p->value.dtype() : NarrowWeights::dtype(narrow.form(slot, config_));
    const bool shares = exact && !p->trained && !p->buffer;
    Parameter& own = out->parameters_.add(p->name, shares ? p->value : copied(p->value, dtype), false, p->buffer);
    if (shares) own.half = p->half;
  }
  for (const Parameter& p : extra_.all()) out->extra_.add(p.name, copied(p.value, p.value.dtype()), false, p.buffer);
  out->narrow_ = narrow_;
  out->saved_extra_ = saved_extra_;
  out->notes_ = notes_;
  out->make_layers();
  if (dtype_ == RGM_BF16) out->use_bfloat16();
  return out;
}

// One after the other, so that no second model is held meanwhile.
void Model::narrow(const NarrowWeights& narrow) {
  if (hooks_ || packed_ || dtype_ != RGM_F32) throw Error(RGM_INTERNAL, "a model at work is not rounded");
  const NoGradient no_gradient;
  sites_.clear(), layers_.clear();  // which see the wide ones
  for (const ParameterSlot& slot : parameter_slots(config_)) {
    Parameter* const p = parameters_.find(slot.ours);
    const NarrowWeights::Form form = narrow.form(slot, config_);
    if (!p || form == NarrowWeights::Form::float32) continue;
    parameters_.set_trained(*p, false);
    if (form == NarrowWeights::Form::nf4) {
      p->value = quantized(p->value);
    } else {
      Tensor rounded = empty_like(p->value.view(), RGM_BF16);
      assign(rounded, p->value);
      p->value = std::move(rounded);
    }
    if (slot.shape.count() > large_draw) current_device().trim();  // the wide one would lie idle
  }
  narrow_ = narrow.any();
  make_layers();
}

// Tables that are only looked up need no copy: rows of the float32 ones are read.
void Model::use_bfloat16() {
  dtype_ = RGM_BF16;
  for (Parameter& p : parameters_.all()) {
    const bool looked_up = p.name == "positions.weight" || (p.name == "embedding.weight" && !config_.is_tied());
    if (p.value.rank() == 2 && !looked_up) p.make_half();
  }
}

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
    part.mlp = add_site(RGM_MLP_SITE, i, mlp, parent(theirs(mlp + ".down")), config_.channels, config_.channels);
    part.block = add_site(RGM_BLOCK_SITE, i, name, parent(their_attention), config_.channels, config_.channels);
    layers_.push_back(part);
  }
}

const Tensor& Model::head_weight() const {
  const Parameter* const weight = parameters_.find(config_.is_tied() ? "embedding.weight" : "head.weight");
  require(weight != nullptr,
          "this model was saved as a classifier, without its head over tokens: it cannot write text");
  return weight->for_products();
}

// As transformers starts one: normal with a deviation of 0.02, no bias.
void Model::add_head(int64_t outputs, std::vector<std::string> labels, uint64_t seed) {
  const NoGradient no_gradient;
  const RandomScope scope({.seed = seed, .step = 0, .micro_batch = head_draws});
  config_.outputs = outputs;
  config_.labels = std::move(labels);
  parameters_.remove_last("score.weight");
  parameters_.remove_last("head.weight");
  parameters_.add("score.weight", ops::affine(ops::random({outputs, config_.channels}, RGM_NORMAL), 0.02, 0), true);
}

Tensor Model::hidden(const Pass& pass, KeyValueCache* cache) const { return read(*this, pass, cache, false); }
Tensor Model::hidden_with_front(const Pass& pass) const { return read(*this, pass, nullptr, true); }

VirtualTokens Model::front(std::span<const int32_t> rows) const {
  if (!hooks_) return {};
  const NoGradient no_gradient;
  const RandomScope scope(RandomKey{});  // what is drawn here is not missed elsewhere
  const Hooked hooked(*this);
  hooked.begin(rows, std::ssize(rows));
  const Tensor prompt = hooked.prompt(embedding_site());
  VirtualTokens out{.prompt = prompt ? prompt.size(-2) : 0};
  for (const LayerPart& layer : layers_)
    if (const Tensor k = hooked.key_values(layer.attention).first) out.prefix = std::max(out.prefix, k.size(-3));
  return out;
}

std::vector<ProductShape> Model::products() const {
  std::vector<ProductShape> out;
  const auto add = [&out](const Tensor& weight) {
    const int64_t in = weight.size(1), rows = weight.size(0);
    const auto same = std::ranges::find_if(out, [&](const ProductShape& s) { return s.in == in && s.out == rows; });
    if (same != out.end())
      ++same->count;
    else
      out.push_back({in, rows, 1, static_cast<double>(held_bytes(weight))});
  };
  for (const LayerPart& layer : layers_)
    for (const LinearPart* part :
         {&layer.qkv, &layer.query, &layer.key, &layer.value, &layer.output, &layer.gate, &layer.up, &layer.down})
      if (*part) add(part->weight->for_products());
  if (config_.outputs == 0) add(head_weight());
  return out;
}

// 2 a multiplication and addition, thrice: forward, and backward for the input and for the weight. A token looks at
// (tokens + 1) / 2 others on average, once for its scores and once for their use.
double Model::flops_per_token(int64_t tokens) const {
  double products = 0;
  for (const ProductShape& s : this->products()) products += static_cast<double>(s.in * s.out * s.count);
  const auto width = static_cast<double>(config_.layers * config_.heads * config_.head_dim);
  return 6 * (products + width * static_cast<double>(tokens + 1));
}

}  // namespace rgm
