// family_opt.cpp - OPT (Zhang et al. 2022, arXiv 2205.01068): as gpt2 with relu, its positions from the third row on.
// Not opt-350m, whose norms stand behind the modules.
#include <regimen/abi/tensor.h>

#include "model/family.hpp"

namespace rgm {
namespace {

using M = ModelConfig;

constexpr ParameterName names[] = {
    {"embedding.weight", "model.decoder.embed_tokens.weight", "VC"},
    {"positions.weight", "model.decoder.embed_positions.weight", "PC"},
    {"layers.{i}.attention_norm.weight", "model.decoder.layers.{i}.self_attn_layer_norm.weight", "C"},
    {"layers.{i}.attention_norm.bias", "model.decoder.layers.{i}.self_attn_layer_norm.bias", "C"},
    {"layers.{i}.attention.query.weight", "model.decoder.layers.{i}.self_attn.q_proj.weight", "AC"},
    {"layers.{i}.attention.query.bias", "model.decoder.layers.{i}.self_attn.q_proj.bias", "A"},
    {"layers.{i}.attention.key.weight", "model.decoder.layers.{i}.self_attn.k_proj.weight", "KC"},
    {"layers.{i}.attention.key.bias", "model.decoder.layers.{i}.self_attn.k_proj.bias", "K"},
    {"layers.{i}.attention.value.weight", "model.decoder.layers.{i}.self_attn.v_proj.weight", "KC"},
    {"layers.{i}.attention.value.bias", "model.decoder.layers.{i}.self_attn.v_proj.bias", "K"},
    {"layers.{i}.attention.output.weight", "model.decoder.layers.{i}.self_attn.out_proj.weight", "CA"},
    {"layers.{i}.attention.output.bias", "model.decoder.layers.{i}.self_attn.out_proj.bias", "C"},
    {"layers.{i}.mlp_norm.weight", "model.decoder.layers.{i}.final_layer_norm.weight", "C"},
    {"layers.{i}.mlp_norm.bias", "model.decoder.layers.{i}.final_layer_norm.bias", "C"},
    {"layers.{i}.mlp.up.weight", "model.decoder.layers.{i}.fc1.weight", "HC"},
    {"layers.{i}.mlp.up.bias", "model.decoder.layers.{i}.fc1.bias", "H"},
    {"layers.{i}.mlp.down.weight", "model.decoder.layers.{i}.fc2.weight", "CH"},
    {"layers.{i}.mlp.down.bias", "model.decoder.layers.{i}.fc2.bias", "C"},
    {"norm.weight", "model.decoder.final_layer_norm.weight", "C"},
    {"norm.bias", "model.decoder.final_layer_norm.bias", "C"},
    {"head.weight", "lm_head.weight", "VC"},
};

constexpr ConfigKey keys[] = {
    {"num_hidden_layers", &M::layers},
    {"num_attention_heads", &M::heads},
    {"hidden_size", &M::channels},
    {"ffn_dim", &M::hidden},
    {"max_position_embeddings", &M::context, "2048"},
    {"dropout", &M::dropout, "0.1"},
    {"attention_dropout", &M::dropout, "0.0"},
    {"word_embed_proj_dim", &M::embedding_dim, "0"},
    {"enable_bias", {}, "true"},
    {"layer_norm_elementwise_affine", {}, "true"},
    {"_remove_final_layer_norm", {}, "false"},
    {"do_layer_norm_before", {}, "true"},
};

}  // namespace

extern const Family opt_family;
constinit const Family opt_family = {
    .id = "opt",
    .architecture = "OPTForCausalLM",
    .positions = Positions::learned,
    .norm = Normalisation::layer,
    .activation = RGM_RELU,
    .activation_key = "activation_function",
    .activation_name = "relu",
    .gated = false,
    .tied = true,
    .epsilon = 1e-5,
    .first_position = 2,
    .names = names,
    .keys = keys,
    // transformers takes token 1 for padding where none is named, which is one like others here.
    .begin = [](ModelConfig& c) { c.others["pad_token_id"] = nullptr; },
};

}  // namespace rgm
