// family.cpp - the families that there are, and the parameters that a model of one has.
#include "model/family.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace rgm {

// Each in a file of its own.
extern const Family gpt2_family, gpt_neox_family, llama_family, mistral_family, qwen2_family, qwen3_family,
    gemma2_family, olmo2_family, gemma3_family, smollm3_family, olmo3_family;

namespace {

const Family* const table[] = {&gpt2_family,   &gpt_neox_family, &llama_family,  &mistral_family,
                               &qwen2_family,  &qwen3_family,    &gemma2_family, &olmo2_family,
                               &gemma3_family, &smollm3_family,  &olmo3_family};

int64_t size_of(const ModelConfig& c, char axis) {
  const int64_t attention = c.heads * c.head_dim, keys = c.kv_heads * c.head_dim;
  switch (axis) {
    case 'V': return c.vocabulary;
    case 'P': return c.context;
    case 'C': return c.channels;
    case 'H': return c.hidden;
    case 'A': return attention;
    case 'K': return keys;
    case 'D': return c.head_dim;
    default: return attention + 2 * keys;
  }
}

std::string with_layer(std::string_view pattern, int64_t layer) {
  const size_t at = pattern.find("{i}");
  if (at == pattern.npos) return std::string(pattern);
  return fmt::format("{}{}{}", pattern.substr(0, at), layer, pattern.substr(at + 3));
}

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

std::vector<ParameterSlot> parameter_slots(const ModelConfig& config) {
  std::vector<ParameterSlot> out;
  const auto add = [&](const ParameterName& name, int64_t layer) {
    if (name.when && !(config.*name.when)) return;
    ParameterSlot slot{
        with_layer(name.ours, layer), with_layer(name.theirs, layer), {}, name.transposed, name.interleaved};
    for (const char* axis = name.shape; *axis; ++axis) slot.shape.push_back(size_of(config, *axis));
    out.push_back(std::move(slot));
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
  if (config.outputs > 0) out.push_back({"score.weight", "score.weight", {config.outputs, config.channels}});
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
  require(c.dropout >= 0 && c.dropout < 1, "a dropout of {} is not in [0, 1)", c.dropout);
  require(c.attention_softcap >= 0 && c.logits_softcap >= 0 && c.query_scalar >= 0,
          "soft caps of {} and {}, a query scalar of {}: none may be negative", c.attention_softcap, c.logits_softcap,
          c.query_scalar);
  if (c.family->positions == Positions::rotary) {
    for (const Rope* rope : {&c.rope, c.window_rope ? &*c.window_rope : &c.rope})
      require(rope->base > 0 && rope->factor > 0,
              "rotary positions with the base {} and the factor {}: both must be above 0", rope->base, rope->factor);
    require(c.rotary() > 0 && c.rotary() <= c.head_dim && c.rotary() % 2 == 0,
            "rotary positions turn {} of {} channels a head, an even number of them was expected", c.rotary(),
            c.head_dim);
  }
  require(c.windows.empty() || c.windows.size() == static_cast<size_t>(c.layers), "{} windows for {} layers",
          c.windows.size(), c.layers);
  require(c.turned.empty() || c.turned.size() == static_cast<size_t>(c.layers),
          "{} answers whether positions turn, for {} layers", c.turned.size(), c.layers);
  require(!c.family->has_fused_heads() || (c.kv_heads == c.heads && c.heads * c.head_dim == c.channels),
          "{}: {} channels are not {} heads of {}; channels must be a multiple of heads, and kv_heads equal to heads",
          c.family->id, c.channels, c.heads, c.head_dim);
}

}  // namespace rgm
