// family_qwen3.cpp - Qwen3: as llama, with a norm over the channels of each head of queries and keys.
#include <regimen/abi/tensor.h>

#include "model/family.hpp"

namespace rgm {
namespace {

using M = ModelConfig;

constexpr ParameterName names[] = {
    {"embedding.weight", "model.embed_tokens.weight", "VC"},
    {"layers.{i}.attention_norm.weight", "model.layers.{i}.input_layernorm.weight", "C"},
    {"layers.{i}.attention.query.weight", "model.layers.{i}.self_attn.q_proj.weight", "AC"},
    {"layers.{i}.attention.query.bias", "model.layers.{i}.self_attn.q_proj.bias", "A", false, &M::attention_bias},
    {"layers.{i}.attention.key.weight", "model.layers.{i}.self_attn.k_proj.weight", "KC"},
    {"layers.{i}.attention.key.bias", "model.layers.{i}.self_attn.k_proj.bias", "K", false, &M::attention_bias},
    {"layers.{i}.attention.value.weight", "model.layers.{i}.self_attn.v_proj.weight", "KC"},
    {"layers.{i}.attention.value.bias", "model.layers.{i}.self_attn.v_proj.bias", "K", false, &M::attention_bias},
    {"layers.{i}.attention.output.weight", "model.layers.{i}.self_attn.o_proj.weight", "CA"},
    {"layers.{i}.attention.output.bias", "model.layers.{i}.self_attn.o_proj.bias", "C", false, &M::attention_bias},
    {"layers.{i}.attention.query_norm.weight", "model.layers.{i}.self_attn.q_norm.weight", "D"},
    {"layers.{i}.attention.key_norm.weight", "model.layers.{i}.self_attn.k_norm.weight", "D"},
    {"layers.{i}.mlp_norm.weight", "model.layers.{i}.post_attention_layernorm.weight", "C"},
    {"layers.{i}.mlp.gate.weight", "model.layers.{i}.mlp.gate_proj.weight", "HC"},
    {"layers.{i}.mlp.up.weight", "model.layers.{i}.mlp.up_proj.weight", "HC"},
    {"layers.{i}.mlp.down.weight", "model.layers.{i}.mlp.down_proj.weight", "CH"},
    {"norm.weight", "model.norm.weight", "C"},
    {"head.weight", "lm_head.weight", "VC"},
};

constexpr ConfigKey keys[] = {
    {"num_hidden_layers", &M::layers},
    {"num_attention_heads", &M::heads},
    {"num_key_value_heads", &M::kv_heads, "0"},
    {"head_dim", &M::head_dim, "128"},
    {"hidden_size", &M::channels},
    {"intermediate_size", &M::hidden},
    {"max_position_embeddings", &M::context, "32768"},
    {"rms_norm_eps", &M::epsilon, "1e-6"},
    {"attention_dropout", &M::dropout, "0.0"},
    {"attention_bias", &M::attention_bias, "false"},
};

}  // namespace

extern const Family qwen3_family;
constinit const Family qwen3_family = {
    .id = "qwen3",
    .architecture = "Qwen3ForCausalLM",
    .positions = Positions::rotary,
    .norm = Normalisation::root_mean_square,
    .activation = RGM_SILU,
    .activation_key = "hidden_act",
    .activation_name = "silu",
    .gated = true,
    .tied = false,
    .epsilon = 1e-6,
    .windows = Windows::upper,
    .names = names,
    .keys = keys,
};

}  // namespace rgm
