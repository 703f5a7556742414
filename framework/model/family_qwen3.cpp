// family_qwen3.cpp - Qwen3: as llama, with a norm over the channels of each head of queries and keys.
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   attention_norm, query, query_bias, key, key_bias, value, value_bias, output,
                                   output_bias, query_norm("D"), key_norm("D"), mlp_norm, gate, up, down,
                                   // at the end
                                   norm, head};

constexpr ConfigKey keys[] = {layers,           heads,           kv_heads("0"), head_dim("128"), channels, hidden,
                              context("32768"), epsilon("1e-6"), dropout,       attention_bias};

}  // namespace

extern const Family qwen3_family;
constinit const Family qwen3_family = {
    .id = "qwen3",
    .architecture = "Qwen3ForCausalLM",
    .windows = Windows::upper,
    .names = names,
    .keys = keys,
    .gguf = {.architecture = "qwen3", .no_biases = true},
};

}  // namespace rgm
