// family_gemma2.cpp - Gemma 2 (2024): norms around attention and mlp, soft caps, a window in every other layer.
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
    {"layers.{i}.attention_end_norm.weight", "model.layers.{i}.post_attention_layernorm.weight", "C"},
    {"layers.{i}.mlp_norm.weight", "model.layers.{i}.pre_feedforward_layernorm.weight", "C"},
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
    {"num_key_value_heads", &M::kv_heads, "4"},
    {"head_dim", &M::head_dim, "256"},
    {"hidden_size", &M::channels},
    {"intermediate_size", &M::hidden},
    {"max_position_embeddings", &M::context, "8192"},
    {"rms_norm_eps", &M::epsilon, "1e-6"},
    {"attention_dropout", &M::dropout, "0.0"},
    {"attention_bias", &M::attention_bias, "false"},
    {"query_pre_attn_scalar", &M::query_scalar, "256"},
    {"attn_logit_softcapping", &M::attention_softcap, "50.0"},
    {"final_logit_softcapping", &M::logits_softcap, "30.0"},
    {"use_bidirectional_attention", {}, "false"},
};

void begin(ModelConfig& c) {
  c.attention_softcap = 50, c.logits_softcap = 30;
  c.windows = usual_windows(c, 4096);
}

}  // namespace

extern const Family gemma2_family;
constinit const Family gemma2_family = {
    .id = "gemma2",
    .architecture = "Gemma2ForCausalLM",
    .positions = Positions::rotary,
    .norm = Normalisation::root_mean_square,
    .activation = RGM_GELU_TANH,
    .activation_key = "hidden_activation",
    .activation_name = "gelu_pytorch_tanh",
    .gated = true,
    .tied = true,
    .epsilon = 1e-6,
    .weights_from_one = true,
    .scaled_embedding = true,
    .windows = Windows::alternate,
    .names = names,
    .keys = keys,
    .begin = begin,
};

}  // namespace rgm
