// family.cpp - the table of families, and the parameters that a model of one has. A new family is a new entry here.
#include "model/family.hpp"

#include <regimen/abi/tensor.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace rgm {
namespace {

constexpr ParameterName gpt2_names[] = {
    {"embedding.weight", "transformer.wte.weight", "VC"},
    {"positions.weight", "transformer.wpe.weight", "PC"},
    {"layers.{i}.attention_norm.weight", "transformer.h.{i}.ln_1.weight", "C"},
    {"layers.{i}.attention_norm.bias", "transformer.h.{i}.ln_1.bias", "C"},
    {"layers.{i}.attention.qkv.weight", "transformer.h.{i}.attn.c_attn.weight", "FC", true},
    {"layers.{i}.attention.qkv.bias", "transformer.h.{i}.attn.c_attn.bias", "F"},
    {"layers.{i}.attention.output.weight", "transformer.h.{i}.attn.c_proj.weight", "CA", true},
    {"layers.{i}.attention.output.bias", "transformer.h.{i}.attn.c_proj.bias", "C"},
    {"layers.{i}.mlp_norm.weight", "transformer.h.{i}.ln_2.weight", "C"},
    {"layers.{i}.mlp_norm.bias", "transformer.h.{i}.ln_2.bias", "C"},
    {"layers.{i}.mlp.up.weight", "transformer.h.{i}.mlp.c_fc.weight", "HC", true},
    {"layers.{i}.mlp.up.bias", "transformer.h.{i}.mlp.c_fc.bias", "H"},
    {"layers.{i}.mlp.down.weight", "transformer.h.{i}.mlp.c_proj.weight", "CH", true},
    {"layers.{i}.mlp.down.bias", "transformer.h.{i}.mlp.c_proj.bias", "C"},
    {"norm.weight", "transformer.ln_f.weight", "C"},
    {"norm.bias", "transformer.ln_f.bias", "C"},
};

constexpr ParameterName llama_names[] = {
    {"embedding.weight", "model.embed_tokens.weight", "VC"},
    {"layers.{i}.attention_norm.weight", "model.layers.{i}.input_layernorm.weight", "C"},
    {"layers.{i}.attention.query.weight", "model.layers.{i}.self_attn.q_proj.weight", "AC"},
    {"layers.{i}.attention.key.weight", "model.layers.{i}.self_attn.k_proj.weight", "KC"},
    {"layers.{i}.attention.value.weight", "model.layers.{i}.self_attn.v_proj.weight", "KC"},
    {"layers.{i}.attention.output.weight", "model.layers.{i}.self_attn.o_proj.weight", "CA"},
    {"layers.{i}.mlp_norm.weight", "model.layers.{i}.post_attention_layernorm.weight", "C"},
    {"layers.{i}.mlp.gate.weight", "model.layers.{i}.mlp.gate_proj.weight", "HC"},
    {"layers.{i}.mlp.up.weight", "model.layers.{i}.mlp.up_proj.weight", "HC"},
    {"layers.{i}.mlp.down.weight", "model.layers.{i}.mlp.down_proj.weight", "CH"},
    {"norm.weight", "model.norm.weight", "C"},
    {"head.weight", "lm_head.weight", "VC"},
};

constexpr Family table[] = {
    {.id = "gpt2",
     .architecture = "GPT2LMHeadModel",
     .positions = Positions::learned,
     .norm = Normalisation::layer,
     .activation = RGM_GELU_TANH,
     .gated = false,
     .linear_bias = true,
     .norm_bias = true,
     .tied = true,
     .epsilon = 1e-5,
     .names = gpt2_names},
    {.id = "llama",
     .architecture = "LlamaForCausalLM",
     .positions = Positions::rotary,
     .norm = Normalisation::root_mean_square,
     .activation = RGM_SILU,
     .gated = true,
     .linear_bias = false,
     .norm_bias = false,
     .tied = false,
     .epsilon = 1e-6,
     .names = llama_names},
};

int64_t size_of(const ModelConfig& c, char axis) {
  const int64_t attention = c.heads * c.head_dim, keys = c.kv_heads * c.head_dim;
  switch (axis) {
    case 'V': return c.vocabulary;
    case 'P': return c.context;
    case 'C': return c.channels;
    case 'H': return c.hidden;
    case 'A': return attention;
    case 'K': return keys;
    default: return attention + 2 * keys;
  }
}

std::string with_layer(std::string_view pattern, int64_t layer) {
  const size_t at = pattern.find("{i}");
  if (at == pattern.npos) return std::string(pattern);
  return fmt::format("{}{}{}", pattern.substr(0, at), layer, pattern.substr(at + 3));
}

}  // namespace

std::span<const Family> families() { return table; }

std::vector<std::string> family_ids() {
  std::vector<std::string> out;
  for (const Family& f : table) out.emplace_back(f.id);
  return out;
}

const Family& family(std::string_view id) {
  for (const Family& f : table)
    if (f.id == id) return f;
  const auto ids = family_ids();
  invalid("family \"{}\" is not known;{} there are {}", id, did_you_mean(id, ids), fmt::join(ids, ", "));
}

std::vector<ParameterSlot> parameter_slots(const ModelConfig& config) {
  std::vector<ParameterSlot> out;
  const auto add = [&](const ParameterName& name, int64_t layer) {
    ParameterSlot slot{with_layer(name.ours, layer), with_layer(name.theirs, layer), {}, name.transposed};
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
  require(c.heads % c.kv_heads == 0, "{} heads are no multiple of {} kv_heads", c.heads, c.kv_heads);
  require(c.dropout >= 0 && c.dropout < 1, "a dropout of {} is not in [0, 1)", c.dropout);
  require(c.family->positions != Positions::rotary || c.head_dim % 2 == 0,
          "rotary positions need an even number of channels a head, not {}", c.head_dim);
  for (const ParameterName& name : c.family->names)
    require(name.shape[0] != 'F' || (c.kv_heads == c.heads && c.heads * c.head_dim == c.channels),
            "{}: {} channels are not {} heads of {}; channels must be a multiple of heads, and kv_heads equal to heads",
            c.family->id, c.channels, c.heads, c.head_dim);
}

}  // namespace rgm
