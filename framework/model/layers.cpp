// layers.cpp - the layers of a pass, written once for all families; hooks act at the sites.
#include <algorithm>

#include "model/reader.hpp"
#include "tensor/ops.hpp"

namespace rgm {

Tensor PassReader::norm(const Tensor& x, const NormPart& part, rgm_dtype dtype) const {
  if (!part) return x.dtype() == dtype ? x : ops::cast(x, dtype);
  const Family& family = *config_.family;
  const Tensor w = family.weights_from_one ? part.weight->value + 1.0 : part.weight->value;
  if (family.norm == Normalisation::root_mean_square) return ops::rms_norm(x, w, config_.norm_epsilon(), dtype);
  return ops::layer_norm(x, w, part.bias ? part.bias->value : Tensor(), config_.norm_epsilon(), dtype);
}

// Side by side, attention and mlp read the same x; otherwise the mlp reads what attention has left.
Tensor PassReader::block(size_t i, Tensor x) {
  const LayerPart& layer = model_.layers()[i];
  x = hooked_.input(layer.block, x);
  const Tensor before = hooked_.acts_after(layer.block) ? x : Tensor();
  Tensor for_mlp = config_.parallel ? norm(x, layer.mlp_norm) : Tensor();
  const Tensor for_attention = norm(x, layer.attention_norm);
  x = attention(i, for_attention, std::move(x));
  if (!for_mlp) for_mlp = norm(x, layer.mlp_norm);
  x = mlp(layer, for_mlp, std::move(x));
  return before ? hooked_.output(layer.block, before, std::move(x)) : x;
}

Tensor PassReader::light_block(size_t i, const Tensor& x, std::shared_ptr<PassReader>& kept) {
  const RandomState drawn = random_state();
  Tensor y = block(i, x);
  if (!y.needs_gradient()) return y;
  if (!kept) kept = std::make_shared<PassReader>(*this);
  return recomputed(y, [kept, i, x, drawn] {
    {  // what acts at the sites may have seen other passes since
      const RandomScope same(kept->before_.key, kept->before_.calls);
      kept->hooked_.begin(kept->pass_.adapters, kept->B_);
    }
    const RandomScope same(drawn.key, drawn.calls);
    return kept->block(i, x);
  });
}

std::array<Tensor, 3> PassReader::query_key_value(const LayerPart& layer, const Tensor& x) const {
  const LinearPart* parts[] = {&layer.query, &layer.key, &layer.value};
  std::array<Tensor, 3> out;
  if (!layer.qkv) {
    for (size_t i = 0; i < 3; ++i) out[i] = hooked_.linear(*parts[i], x);
    return out;
  }
  const int64_t queries = config_.heads * config_.head_dim, keys = config_.kv_heads * config_.head_dim;
  const int64_t sizes[] = {queries, keys, keys};
  const bool apart = std::ranges::any_of(parts, [&](const LinearPart* p) { return hooked_.acts_before(p->site); });
  if (!apart) {
    const Tensor bias = layer.qkv.bias ? layer.qkv.bias->value : Tensor();
    const auto fused =
        ops::split(ops::linear(x, layer.qkv.weight->for_products(), bias, 0, {}, model_.dtype()), -1, sizes);
    for (size_t i = 0; i < 3; ++i) out[i] = hooked_.output(parts[i]->site, x, fused[i]);
    return out;
  }
  for (int64_t i = 0, begin = 0; i < 3; begin += sizes[i++]) {
    const auto part = [&](const Parameter* p) { return p ? p->rows(begin, begin + sizes[i]) : Tensor(); };
    const size_t site = parts[i]->site;
    const Tensor own = hooked_.input(site, x);
    out[static_cast<size_t>(i)] = hooked_.output(
        site, own, ops::linear(own, part(layer.qkv.weight), part(layer.qkv.bias), 0, {}, model_.dtype()));
  }
  return out;
}

// Of q (B, T, H, D) over what was read, in front of that the layer's extra keys and values.
Tensor PassReader::attend(size_t i, const Tensor& q, Tensor k, Tensor v) {
  const LayerPart& layer = model_.layers()[i];
  ops::AttentionOptions options;
  options.dropout = hooked_.dropout_now();
  options.softcap = config_.attention_softcap;
  options.scale = config_.score_scale();
  int64_t extra = 0;
  if (!key_values_.empty() && key_values_[i].first) {
    const auto& [front_k, front_v] = key_values_[i];
    extra = front_k.size(-3);
    const Shape shape{B_, extra, config_.kv_heads, config_.head_dim};
    const auto all_rows = [&](const Tensor& x) {
      const Tensor one = ops::reshape(ops::cast(x, model_.dtype()), {-1, extra, config_.kv_heads, config_.head_dim});
      return ops::broadcast(one, shape);
    };
    if (cache_) {
      cache_->store_prefix(i, all_rows(front_k), all_rows(front_v));
    } else {
      k = ops::concat(std::array{all_rows(front_k), k}, 1);
      v = ops::concat(std::array{all_rows(front_v), v}, 1);
    }
  }
  if (segments_) {
    options.q_segments = options.k_segments = segments_;
    if (extra > 0)
      options.k_segments = ops::concat(std::array{ops::full({B_, extra}, prompt_segment, RGM_I32), segments_}, 1);
    options.prefix = extra + prompts_;
  }
  if (cache_) {
    std::tie(k, v) = cache_->store(i, k, v, cache_->fresh() ? segments_ : cache_->segments());
    options.k_lengths = cache_->lengths(i);
  }
  if (const int64_t window = config_.window(i); window > 0 && window < k.size(1)) {
    options.window = window;
    options.prefix = cache_ ? cache_->prefix(i) : extra + prompts_;  // virtual tokens are seen from everywhere
  }
  const SiteScope scope = hooked_.draws(layer.attention);
  return ops::attention(q, k, v, options);
}

// x (B, T, H D) -> (B, T, H, D), with a norm of each head or of all channels
Tensor PassReader::in_heads(const Tensor& x, int64_t heads, const NormPart& part) const {
  const Shape shape{B_, T_, heads, config_.head_dim};
  if (part && part.weight->value.size(0) == x.size(-1)) return ops::reshape(norm(x, part), shape);
  return norm(ops::reshape(x, shape), part);
}

Tensor PassReader::end(size_t module, const Tensor& x, const LinearPart& part, const Tensor& inner,
                       const NormPart& end_norm, Tensor residual) const {
  if (const double m = config_.residual_multiplier; m != 1)
    return residual + m * norm(hooked_.end_of_module(module, x, part, inner), end_norm, RGM_F32);
  if (!end_norm) return hooked_.end_of_module(module, x, part, inner, std::move(residual));
  return residual + norm(hooked_.end_of_module(module, x, part, inner), end_norm, RGM_F32);
}

// y = residual + output(attention(x))
Tensor PassReader::attention(size_t i, const Tensor& normed, Tensor residual) {
  const LayerPart& layer = model_.layers()[i];
  const Tensor x = hooked_.input(layer.attention, normed);
  auto [q, k, v] = query_key_value(layer, x);
  q = in_heads(q, config_.heads, layer.query_norm);
  k = in_heads(k, config_.kv_heads, layer.key_norm);
  v = in_heads(v, config_.kv_heads, {});
  if (const RopeTables* rope = model_.rope_of(i)) {
    const Tensor& rows = rope->most_of_short > 0 ? rows_ : positions_;
    q = ops::rope(q, rows, rope->cosines, rope->sines);
    k = ops::rope(k, rows, rope->cosines, rope->sines);
  }
  Tensor y = ops::reshape(attend(i, q, k, v), {B_, T_, config_.heads * config_.head_dim});
  return end(layer.attention, x, layer.output, y, layer.attention_end_norm, std::move(residual));
}

// y = residual + down(activation(up x)), or down(activation(gate x) * up x)
Tensor PassReader::mlp(const LayerPart& layer, const Tensor& normed, Tensor residual) const {
  const int32_t activation = config_.activation_kind();
  const Tensor x = hooked_.input(layer.mlp, normed);
  if (layer.router) return residual + hooked_.end_of_module(layer.mlp, x, experts(layer, x));
  Tensor inner = layer.gate ? ops::multiply(hooked_.linear(layer.gate, x, activation), hooked_.linear(layer.up, x))
                            : hooked_.linear(layer.up, x, activation);
  return end(layer.mlp, x, layer.down, inner, layer.mlp_end_norm, std::move(residual));
}

}  // namespace rgm
