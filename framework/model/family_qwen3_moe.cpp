// family_qwen3_moe.cpp - Qwen3 with experts (2025): as qwen3, with a mixture of experts for the mlp.
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   attention_norm, query, query_bias, key, key_bias, value, value_bias, output,
                                   output_bias, query_norm("D"), key_norm("D"), mlp_norm, dense(gate), dense(up),
                                   dense(down), router, expert_gate, expert_up, expert_down,
                                   // at the end
                                   norm, head};

constexpr ConfigKey keys[] = {layers,        heads,          kv_heads("4"),      head_dim("0"),
                              channels,      hidden,         context("32768"),   epsilon("1e-6"),
                              dropout,       attention_bias, experts("128"),     experts_per_token("8"),
                              expert_hidden, sparse_step,    normalised_experts, without_windows};

}  // namespace

extern const Family qwen3_moe_family;
constinit const Family qwen3_moe_family = {
    .id = "qwen3_moe",
    .architecture = "Qwen3MoeForCausalLM",
    .names = names,
    .keys = keys,
    .begin = [](ModelConfig& c) { c.normalised_experts = true; },  // as all that were published
    .gguf = {.architecture = "qwen3moe", .no_biases = true, .normalised_experts = true},
};

}  // namespace rgm
