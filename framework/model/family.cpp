// family.cpp - the families that there are, and the parameters that a model of one has.
#include "model/family.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/text.hpp"

namespace rgm {

// Each in a file of its own.
extern const Family gpt2_family, gpt_neo_family, gpt_neox_family, opt_family, llama_family, mistral_family,
    mixtral_family, qwen2_family, qwen2_moe_family, qwen3_family, qwen3_moe_family, gemma2_family, gemma3_family,
    olmo2_family, olmo3_family, olmoe_family, phi3_family, granite_family, starcoder2_family, smollm3_family;

namespace {

const Family* const table[] = {&gpt2_family,      &gpt_neo_family, &gpt_neox_family,   &opt_family,
                               &llama_family,     &mistral_family, &mixtral_family,    &qwen2_family,
                               &qwen2_moe_family, &qwen3_family,   &qwen3_moe_family,  &gemma2_family,
                               &gemma3_family,    &olmo2_family,   &olmo3_family,      &olmoe_family,
                               &phi3_family,      &granite_family, &starcoder2_family, &smollm3_family};

int64_t size_of(const ModelConfig& c, char axis) {
  const int64_t attention = c.heads * c.head_dim, keys = c.kv_heads * c.head_dim;
  switch (axis) {
    case 'V': return c.vocabulary;
    case 'P': return c.context + c.family->first_position;
    case 'C': return c.channels;
    case 'H': return c.hidden;
    case 'A': return attention;
    case 'K': return keys;
    case 'D': return c.head_dim;
    case 'E': return c.experts;
    case 'X': return c.expert_hidden;
    case 'S': return c.shared_hidden;
    case '1': return 1;
    default: return attention + 2 * keys;
  }
}

// `mark` is "{i}" or "{e}".
std::string with_number(std::string_view pattern, std::string_view mark, int64_t number) {
  const size_t at = pattern.find(mark);
  if (at == pattern.npos) return std::string(pattern);
  return fmt::format("{}{}{}", pattern.substr(0, at), number, pattern.substr(at + mark.size()));
}

bool is_of_expert(const ParameterName& name) { return std::string_view(name.ours).find("{e}") != std::string::npos; }

}  // namespace

std::span<const Family* const> families() { return table; }

std::vector<std::string> family_ids() {
  std::vector<std::string> out;
  for (const Family* f : table) out.emplace_back(f->id);
  return out;
}

const Family& family(std::string_view id) {
  for (const Family* f : table)
    if (f->id == id) return *f;
  const auto ids = family_ids();
  invalid("family \"{}\" is not known{} (there are {})", id, did_you_mean(id, ids), fmt::join(ids, ", "));
}

bool Family::has_fused_heads() const {
  return std::ranges::any_of(names, [](const ParameterName& name) { return name.shape[0] == 'F'; });
}

bool Family::shares_keys() const {
  return std::ranges::any_of(keys, [](const ConfigKey& key) {
    const auto* const size = std::get_if<int64_t ModelConfig::*>(&key.ours);
    return size && *size == &ModelConfig::kv_heads;
  });
}

double ModelConfig::score_scale() const {
  if (attention_scale > 0) return attention_scale;
  if (family->attention_scale > 0) return family->attention_scale;
  return query_scalar > 0 ? 1 / std::sqrt(query_scalar) : 0;
}

bool Family::has_experts() const { return std::ranges::any_of(names, is_of_expert); }
bool Family::has_shared_expert() const {
  return std::ranges::any_of(names, [](const ParameterName& name) { return name.shape[0] == 'S'; });
}

bool ModelConfig::is_sparse(int64_t layer) const {
  return experts > 0 && (layer + 1) % sparse_step == 0 && std::ranges::count(dense_layers, layer) == 0;
}
int64_t ModelConfig::sparse_layers() const {
  int64_t n = 0;
  for (int64_t i = 0; i < layers; ++i) n += is_sparse(i);
  return n;
}
int64_t ModelConfig::widest_mlp() const {
  const int64_t sparse = sparse_layers(), of_experts = experts_per_token * expert_hidden + shared_hidden;
  return std::max(sparse < layers ? hidden : 0, sparse > 0 ? of_experts : 0);
}

std::vector<ParameterSlot> parameter_slots(const ModelConfig& config) {
  std::vector<ParameterSlot> out;
  const auto add = [&](const ParameterName& name, int64_t layer) {
    if (name.when && !(config.*name.when)) return;
    if (name.mlp != Mlp::any && config.is_sparse(layer) != (name.mlp == Mlp::sparse)) return;
    ParameterSlot slot{.ours = with_number(name.ours, "{i}", layer),
                       .theirs = with_number(name.theirs, "{i}", layer),
                       .shape = {},
                       .transposed = name.transposed,
                       .interleaved = name.interleaved};
    for (const char* axis = name.shape; *axis; ++axis) slot.shape.push_back(size_of(config, *axis));
    if (!is_of_expert(name)) return out.push_back(std::move(slot));
    for (int64_t e = 0; e < config.experts; ++e) {
      ParameterSlot& own = out.emplace_back(slot);
      own.ours = with_number(slot.ours, "{e}", e), own.theirs = with_number(slot.theirs, "{e}", e);
    }
  };
  const auto& names = config.family->names;
  const auto of_layer = [](const ParameterName& name) { return std::string_view(name.ours).starts_with("layers."); };
  size_t i = 0;
  for (; i < names.size() && !of_layer(names[i]); ++i) add(names[i], 0);
  for (int64_t layer = 0; layer < config.layers; ++layer)
    for (const ParameterName& name : names)
      if (of_layer(name)) add(name, layer);
  // A model that classifies has no other head in transformers' files; a tied one is the embedding anyway.
  const bool lacks_head = config.is_tied() || config.outputs > 0;
  for (; i < names.size(); ++i)
    if (!of_layer(names[i]) && !(lacks_head && std::string_view(names[i].ours) == "head.weight")) add(names[i], 0);
  // Those of one tensor of theirs stand behind one another.
  for (size_t first = 0, last = 0; first < out.size(); first = last) {
    int64_t rows = 0;
    for (last = first; last < out.size() && out[last].theirs == out[first].theirs; ++last)
      out[last].first_row = rows, rows += out[last].shape[0];
    for (size_t k = first; last - first > 1 && k < last; ++k) out[k].rows_there = rows;
  }
  if (config.outputs > 0) out.push_back({"score.weight", "score.weight", {config.outputs, config.channels}});
  return out;
}

Shape ParameterSlot::shape_there() const {
  if (transposed) return {shape[1], shape[0]};
  Shape out = shape;
  if (rows_there > 0) out[0] = rows_there;
  return out;
}

void check(const ModelConfig& c) {
  require(c.family != nullptr, "a model needs a family: {}", fmt::join(family_ids(), ", "));
  const auto positive = [](int64_t size, const char* name) {
    require(size > 0, "a model with {} {}, 1 or more are needed", size, name);
  };
  positive(c.layers, "layers"), positive(c.heads, "heads"), positive(c.kv_heads, "kv_heads");
  positive(c.head_dim, "channels a head"), positive(c.channels, "channels"), positive(c.hidden, "hidden channels");
  positive(c.context, "tokens of context"), positive(c.vocabulary, "tokens in its vocabulary");
  require(c.heads % c.kv_heads == 0, "{} heads are not a multiple of {} kv_heads", c.heads, c.kv_heads);
  require(
      c.embedding_dim == 0 || c.embedding_dim == c.channels,
      "vectors of {} channels in the embedding and {} in the layers, which is not supported: use a model where both "
      "are equal",
      c.embedding_dim, c.channels);
  require(c.dropout >= 0 && c.dropout < 1, "a dropout of {} is not in [0, 1)", c.dropout);
  require(c.attention_softcap >= 0 && c.logits_softcap >= 0 && c.query_scalar >= 0,
          "soft caps of {} and {}, a query scalar of {}: none may be negative", c.attention_softcap, c.logits_softcap,
          c.query_scalar);
  require(c.attention_scale >= 0 && c.embedding_multiplier > 0 && c.residual_multiplier > 0 && c.logits_divisor > 0,
          "multipliers of {} (attention), {} (embedding), {} (residual) and {} (logits): all must be above 0",
          c.attention_scale, c.embedding_multiplier, c.residual_multiplier, c.logits_divisor);
  require(c.logits_softcap == 0 || c.logits_divisor == 1, "logits divided by {} cannot have a soft cap of {} too",
          c.logits_divisor, c.logits_softcap);
  if (c.family->positions == Positions::rotary) {
    for (const Rope* rope : {&c.rope, c.window_rope ? &*c.window_rope : &c.rope}) {
      const bool long_rope = rope->scaling == Rope::Scaling::longrope;
      require(rope->base > 0 && (rope->factor > 0 || long_rope),
              "rotary positions with the base {} and the factor {}: both must be above 0", rope->base, rope->factor);
      require(!long_rope || rope->original_context > 1, "an old context of {}, more than 1 was expected",
              rope->original_context);
    }
    require(!c.window_rope || c.window_rope->scaling != Rope::Scaling::longrope,
            "positions of layers with a window are scaled by longrope, only those of the others can be");
    require(c.rotary() > 0 && c.rotary() <= c.head_dim && c.rotary() % 2 == 0,
            "rotary positions turn {} of {} channels a head, an even number of them was expected", c.rotary(),
            c.head_dim);
  }
  if (c.family->has_experts()) {
    positive(c.experts, "experts"), positive(c.expert_hidden, "hidden channels an expert");
    require(c.experts * c.layers <= 1 << 16, "{} experts in each of {} layers are more than can be, {} in all",
            c.experts, c.layers, 1 << 16);
    if (c.family->has_shared_expert()) positive(c.shared_hidden, "hidden channels of the shared expert");
    require(c.experts_per_token > 0 && c.experts_per_token <= c.experts,
            "{} experts a token, 1 to {} were expected, as many as there are", c.experts_per_token, c.experts);
    require(c.balance >= 0, "a balance of {}, 0 or more was expected", c.balance);
  }
  require(c.windows.empty() || c.windows.size() == static_cast<size_t>(c.layers), "{} windows for {} layers",
          c.windows.size(), c.layers);
  require(c.turned.empty() || c.turned.size() == static_cast<size_t>(c.layers),
          "{} answers whether positions turn, for {} layers", c.turned.size(), c.layers);
  require(c.family->shares_keys() || (c.kv_heads == c.heads && c.heads * c.head_dim == c.channels),
          "{}: {} channels are not {} heads of {}; channels must be a multiple of heads, and kv_heads equal to heads",
          c.family->id, c.channels, c.heads, c.head_dim);
}

}  // namespace rgm
