// family_starcoder2.cpp - StarCoder 2 (2024, arXiv 2402.19173): rotary positions and shared keys as llama, layer norms,
// biases and a plain mlp as gpt2.
#include <regimen/abi/tensor.h>

#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName attention_norm_bias{"layers.{i}.attention_norm.bias", "model.layers.{i}.input_layernorm.bias",
                                            "C"};
constexpr ParameterName mlp_norm_bias{"layers.{i}.mlp_norm.bias", "model.layers.{i}.post_attention_layernorm.bias",
                                      "C"};
constexpr ParameterName norm_bias{"norm.bias", "model.norm.bias", "C"};
constexpr ParameterName plain_up{"layers.{i}.mlp.up.weight", "model.layers.{i}.mlp.c_fc.weight", "HC"};
constexpr ParameterName plain_down{"layers.{i}.mlp.down.weight", "model.layers.{i}.mlp.c_proj.weight", "CH"};
// One member of config.json, "use_bias", says it of all matrices.
constexpr ParameterName plain_up_bias{"layers.{i}.mlp.up.bias", "model.layers.{i}.mlp.c_fc.bias", "H", false,
                                      &M::attention_bias};
constexpr ParameterName plain_down_bias{"layers.{i}.mlp.down.bias", "model.layers.{i}.mlp.c_proj.bias", "C", false,
                                        &M::attention_bias};

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   attention_norm, attention_norm_bias, query, query_bias, key, key_bias, value,
                                   value_bias, output, output_bias, mlp_norm, mlp_norm_bias, plain_up, plain_up_bias,
                                   plain_down, plain_down_bias,
                                   // at the end
                                   norm, norm_bias, head};

constexpr ConfigKey keys[] = {layers,
                              heads,
                              kv_heads("2"),
                              channels,
                              hidden,
                              context("4096"),
                              ConfigKey{"norm_epsilon", &M::epsilon, "1e-5"},
                              ConfigKey{"residual_dropout", &M::dropout, "0.0"},
                              ConfigKey{"embedding_dropout", &M::dropout, "0.0"},
                              dropout,
                              ConfigKey{"use_bias", &M::attention_bias, "true"}};

}  // namespace

extern const Family starcoder2_family;
constinit const Family starcoder2_family = {
    .id = "starcoder2",
    .architecture = "Starcoder2ForCausalLM",
    .norm = Normalisation::layer,
    .activation = RGM_GELU_TANH,
    .activation_name = "gelu_pytorch_tanh",
    .gated = false,
    .tied = true,
    .epsilon = 1e-5,
    .windows = Windows::stated,
    .names = names,
    .keys = keys,
    .begin = [](ModelConfig& c) { c.attention_bias = true; },
    .gguf = {.architecture = "starcoder2", .whole_heads = true, .needs_biases = true},
};

}  // namespace rgm
