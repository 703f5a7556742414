// family_olmo2.cpp - OLMo 2 (2024): norms behind attention and mlp alone, and over all channels of queries and keys.
#include <regimen/abi/tensor.h>

#include "model/family.hpp"

namespace rgm {
namespace {

using M = ModelConfig;

constexpr ParameterName names[] = {
    {"embedding.weight", "model.embed_tokens.weight", "VC"},
    {"layers.{i}.attention.query.weight", "model.layers.{i}.self_attn.q_proj.weight", "AC"},
    {"layers.{i}.attention.query.bias", "model.layers.{i}.self_attn.q_proj.bias", "A", false, &M::attention_bias},
    {"layers.{i}.attention.key.weight", "model.layers.{i}.self_attn.k_proj.weight", "KC"},
    {"layers.{i}.attention.key.bias", "model.layers.{i}.self_attn.k_proj.bias", "K", false, &M::attention_bias},
    {"layers.{i}.attention.value.weight", "model.layers.{i}.self_attn.v_proj.weight", "KC"},
    {"layers.{i}.attention.value.bias", "model.layers.{i}.self_attn.v_proj.bias", "K", false, &M::attention_bias},
    {"layers.{i}.attention.output.weight", "model.layers.{i}.self_attn.o_proj.weight", "CA"},
    {"layers.{i}.attention.output.bias", "model.layers.{i}.self_attn.o_proj.bias", "C", false, &M::attention_bias},
    {"layers.{i}.attention.query_norm.weight", "model.layers.{i}.self_attn.q_norm.weight", "A"},
    {"layers.{i}.attention.key_norm.weight", "model.layers.{i}.self_attn.k_norm.weight", "K"},
    {"layers.{i}.attention_end_norm.weight", "model.layers.{i}.post_attention_layernorm.weight", "C"},
    {"layers.{i}.mlp.gate.weight", "model.layers.{i}.mlp.gate_proj.weight", "HC"},
    {"layers.{i}.mlp.up.weight", "model.layers.{i}.mlp.up_proj.weight", "HC"},
    {"layers.{i}.mlp.down.weight", "model.layers.{i}.mlp.down_proj.weight", "CH"},
    {"layers.{i}.mlp_end_norm.weight", "model.layers.{i}.post_feedforward_layernorm.weight", "C"},
    {"norm.weight", "model.norm.weight", "C"},
    {"head.weight", "lm_head.weight", "VC"},
};

constexpr ConfigKey keys[] = {
    {"num_hidden_layers", &M::layers},
    {"num_attention_heads", &M::heads},
    {"num_key_value_heads", &M::kv_heads, "0"},
    {"hidden_size", &M::channels},
    {"intermediate_size", &M::hidden},
    {"max_position_embeddings", &M::context, "2048"},
    {"rms_norm_eps", &M::epsilon, "1e-5"},
    {"attention_dropout", &M::dropout, "0.0"},
    {"attention_bias", &M::attention_bias, "false"},
};

}  // namespace

extern const Family olmo2_family;
constinit const Family olmo2_family = {
    .id = "olmo2",
    .architecture = "Olmo2ForCausalLM",
    .positions = Positions::rotary,
    .norm = Normalisation::root_mean_square,
    .activation = RGM_SILU,
    .activation_key = "hidden_act",
    .activation_name = "silu",
    .gated = true,
    .tied = false,
    .epsilon = 1e-5,
    .names = names,
    .keys = keys,
};

}  // namespace rgm
