// family_gpt_neox.cpp - GPT-NeoX and Pythia: part of the channels turn, attention and mlp stand side by side.
#include <regimen/abi/tensor.h>

#include "model/family.hpp"

namespace rgm {
namespace {

using M = ModelConfig;

constexpr ParameterName names[] = {
    {"embedding.weight", "gpt_neox.embed_in.weight", "VC"},
    {"layers.{i}.attention_norm.weight", "gpt_neox.layers.{i}.input_layernorm.weight", "C"},
    {"layers.{i}.attention_norm.bias", "gpt_neox.layers.{i}.input_layernorm.bias", "C"},
    {"layers.{i}.attention.qkv.weight", "gpt_neox.layers.{i}.attention.query_key_value.weight", "FC", false, nullptr,
     true},
    {"layers.{i}.attention.qkv.bias", "gpt_neox.layers.{i}.attention.query_key_value.bias", "F", false,
     &M::attention_bias, true},
    {"layers.{i}.attention.output.weight", "gpt_neox.layers.{i}.attention.dense.weight", "CA"},
    {"layers.{i}.attention.output.bias", "gpt_neox.layers.{i}.attention.dense.bias", "C", false, &M::attention_bias},
    {"layers.{i}.mlp_norm.weight", "gpt_neox.layers.{i}.post_attention_layernorm.weight", "C"},
    {"layers.{i}.mlp_norm.bias", "gpt_neox.layers.{i}.post_attention_layernorm.bias", "C"},
    {"layers.{i}.mlp.up.weight", "gpt_neox.layers.{i}.mlp.dense_h_to_4h.weight", "HC"},
    {"layers.{i}.mlp.up.bias", "gpt_neox.layers.{i}.mlp.dense_h_to_4h.bias", "H"},
    {"layers.{i}.mlp.down.weight", "gpt_neox.layers.{i}.mlp.dense_4h_to_h.weight", "CH"},
    {"layers.{i}.mlp.down.bias", "gpt_neox.layers.{i}.mlp.dense_4h_to_h.bias", "C"},
    {"norm.weight", "gpt_neox.final_layer_norm.weight", "C"},
    {"norm.bias", "gpt_neox.final_layer_norm.bias", "C"},
    {"head.weight", "embed_out.weight", "VC"},
};

constexpr ConfigKey keys[] = {
    {"num_hidden_layers", &M::layers},
    {"num_attention_heads", &M::heads},
    {"hidden_size", &M::channels},
    {"intermediate_size", &M::hidden},
    {"max_position_embeddings", &M::context, "2048"},
    {"layer_norm_eps", &M::epsilon, "1e-5"},
    {"hidden_dropout", &M::dropout, "0.0"},
    {"attention_dropout", &M::dropout, "0.0"},
    {"attention_bias", &M::attention_bias, "true"},
    {"use_parallel_residual", &M::parallel, "true"},
};

}  // namespace

extern const Family gpt_neox_family;
constinit const Family gpt_neox_family = {
    .id = "gpt_neox",
    .architecture = "GPTNeoXForCausalLM",
    .positions = Positions::rotary,
    .norm = Normalisation::layer,
    .activation = RGM_GELU_ERF,
    .activation_key = "hidden_act",
    .activation_name = "gelu",
    .gated = false,
    .tied = false,
    .epsilon = 1e-5,
    .rotary_part = 0.25,
    .base_key = "rotary_emb_base",
    .part_key = "rotary_pct",
    .names = names,
    .keys = keys,
    .begin = [](ModelConfig& c) { c.attention_bias = c.parallel = true; },
    .gguf = {.architecture = "gptneox", .whole_heads = true, .own_head = true, .needs_biases = true},
};

}  // namespace rgm
