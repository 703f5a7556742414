// family_olmo2.cpp - OLMo 2 (2024): norms behind attention and mlp alone, and over all channels of queries and keys.
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   query, query_bias, key, key_bias, value, value_bias, output, output_bias,
                                   query_norm("A"), key_norm("K"), attention_end_norm, gate, up, down, mlp_end_norm,
                                   // at the end
                                   norm, head};

constexpr ConfigKey keys[] = {layers,          heads,           kv_heads("0"), channels,      hidden,
                              context("2048"), epsilon("1e-5"), dropout,       attention_bias};

}  // namespace

extern const Family olmo2_family;
constinit const Family olmo2_family = {
    .id = "olmo2",
    .architecture = "Olmo2ForCausalLM",
    .epsilon = 1e-5,
    .names = names,
    .keys = keys,
    .gguf = {.architecture = "olmo2", .whole_heads = true, .own_head = true, .no_biases = true},
};

}  // namespace rgm
