// family_gpt_neo.cpp - GPT-Neo (Black et al. 2021) and TinyStories: as gpt2, but scores are not divided by anything,
// every other layer sees a window, and matrices lie as (out, in).
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
    {"layers.{i}.attention.query.weight", "transformer.h.{i}.attn.attention.q_proj.weight", "AC"},
    {"layers.{i}.attention.key.weight", "transformer.h.{i}.attn.attention.k_proj.weight", "KC"},
    {"layers.{i}.attention.value.weight", "transformer.h.{i}.attn.attention.v_proj.weight", "KC"},
    {"layers.{i}.attention.output.weight", "transformer.h.{i}.attn.attention.out_proj.weight", "CA"},
    {"layers.{i}.attention.output.bias", "transformer.h.{i}.attn.attention.out_proj.bias", "C"},
    {"layers.{i}.mlp_norm.weight", "transformer.h.{i}.ln_2.weight", "C"},
    {"layers.{i}.mlp_norm.bias", "transformer.h.{i}.ln_2.bias", "C"},
    {"layers.{i}.mlp.up.weight", "transformer.h.{i}.mlp.c_fc.weight", "HC"},
    {"layers.{i}.mlp.up.bias", "transformer.h.{i}.mlp.c_fc.bias", "H"},
    {"layers.{i}.mlp.down.weight", "transformer.h.{i}.mlp.c_proj.weight", "CH"},
    {"layers.{i}.mlp.down.bias", "transformer.h.{i}.mlp.c_proj.bias", "C"},
    {"norm.weight", "transformer.ln_f.weight", "C"},
    {"norm.bias", "transformer.ln_f.bias", "C"},
    {"head.weight", "lm_head.weight", "VC"},
};

constexpr ConfigKey keys[] = {
    {"num_layers", &M::layers},
    {"num_heads", &M::heads},
    {"hidden_size", &M::channels},
    {"intermediate_size", &M::hidden, "0"},
    {"max_position_embeddings", &M::context, "2048"},
    {"layer_norm_epsilon", &M::epsilon, "1e-5"},
    {"resid_dropout", &M::dropout, "0.0"},
    {"embed_dropout", &M::dropout, "0.0"},
    {"attention_dropout", &M::dropout, "0.0"},
};

}  // namespace

extern const Family gpt_neo_family;
constinit const Family gpt_neo_family = {
    .id = "gpt_neo",
    .architecture = "GPTNeoForCausalLM",
    .positions = Positions::learned,
    .norm = Normalisation::layer,
    .activation = RGM_GELU_TANH,
    .activation_key = "activation_function",
    .activation_name = "gelu_new",
    .gated = false,
    .tied = true,
    .epsilon = 1e-5,
    .windows = Windows::odd,
    .attention_scale = 1,
    .names = names,
    .keys = keys,
    .begin = [](ModelConfig& c) { c.windows = usual_windows(c, 256); },
};

}  // namespace rgm
