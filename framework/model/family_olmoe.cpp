// family_olmoe.cpp - OLMoE (2024): as llama, with norms over all channels of queries and keys and a mixture of experts.
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   attention_norm, query, query_bias, key, key_bias, value, value_bias, output,
                                   output_bias, query_norm("A"), key_norm("K"), mlp_norm, router, expert_gate,
                                   expert_up, expert_down,
                                   // at the end
                                   norm, head};

constexpr ConfigKey keys[] = {layers,
                              heads,
                              kv_heads("0"),
                              channels,
                              {"intermediate_size", &M::expert_hidden},
                              context("4096"),
                              epsilon("1e-5"),
                              dropout,
                              attention_bias,
                              experts("64"),
                              experts_per_token("8"),
                              normalised_experts,
                              {"clip_qkv", {}, "null"}};

}  // namespace

extern const Family olmoe_family;
constinit const Family olmoe_family = {
    .id = "olmoe",
    .architecture = "OlmoeForCausalLM",
    .epsilon = 1e-5,
    .names = names,
    .keys = keys,
    .gguf = {.architecture = "olmoe", .whole_heads = true, .own_keys = true, .own_head = true, .no_biases = true},
};

}  // namespace rgm
