// family_gpt2.cpp - Radford et al. 2019: learned positions, layer norms, one fused product of query, key and value.
#include <regimen/abi/tensor.h>

#include "model/family.hpp"

namespace rgm {
namespace {

using M = ModelConfig;

constexpr ParameterName names[] = {
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
    {"head.weight", "lm_head.weight", "VC"},
};

constexpr ConfigKey keys[] = {
    {"n_layer", &M::layers},
    {"n_head", &M::heads},
    {"n_embd", &M::channels},
    {"n_positions", &M::context, "1024"},
    {"n_inner", &M::hidden, "0"},
    {"resid_pdrop", &M::dropout, "0.1"},
    {"attn_pdrop", &M::dropout, "0.1"},
    {"embd_pdrop", &M::dropout, "0.1"},
    {"layer_norm_epsilon", &M::epsilon, "1e-5"},
    {"scale_attn_weights", {}, "true"},
    {"scale_attn_by_inverse_layer_idx", {}, "false"},
    {"add_cross_attention", {}, "false"},
};

}  // namespace

extern const Family gpt2_family;
constinit const Family gpt2_family = {
    .id = "gpt2",
    .architecture = "GPT2LMHeadModel",
    .positions = Positions::learned,
    .norm = Normalisation::layer,
    .activation = RGM_GELU_TANH,
    .activation_key = "activation_function",
    .activation_name = "gelu_new",
    .gated = false,
    .tied = true,
    .epsilon = 1e-5,
    .names = names,
    .keys = keys,
    .gguf = {.architecture = "gpt2", .whole_heads = true},
};

}  // namespace rgm
