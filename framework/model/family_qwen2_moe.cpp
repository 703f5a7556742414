// family_qwen2_moe.cpp - Qwen 1.5 and 2 with experts (2024): as qwen2, with a mixture of experts, beside which every
// token has a shared one behind a gate.
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {
    embedding,
    // of each layer
    attention_norm, query, query_bias, key, key_bias, value, value_bias, output, mlp_norm, dense(gate), dense(up),
    dense(down), router, expert_gate, expert_up, expert_down,
    sparse("layers.{i}.mlp.shared.gate.weight", "model.layers.{i}.mlp.shared_expert.gate_proj.weight", "SC"),
    sparse("layers.{i}.mlp.shared.up.weight", "model.layers.{i}.mlp.shared_expert.up_proj.weight", "SC"),
    sparse("layers.{i}.mlp.shared.down.weight", "model.layers.{i}.mlp.shared_expert.down_proj.weight", "CS"),
    sparse("layers.{i}.mlp.shared_gate.weight", "model.layers.{i}.mlp.shared_expert_gate.weight", "1C"),
    // at the end
    norm, head};

constexpr ConfigKey keys[] = {layers,           heads,
                              kv_heads("16"),   head_dim("0"),
                              channels,         hidden,
                              context("32768"), epsilon("1e-6"),
                              dropout,          {"qkv_bias", &M::attention_bias, "true"},
                              experts("60"),    experts_per_token("4"),
                              expert_hidden,    {"shared_expert_intermediate_size", &M::shared_hidden},
                              sparse_step,      normalised_experts,
                              without_windows};

}  // namespace

extern const Family qwen2_moe_family;
constinit const Family qwen2_moe_family = {
    .id = "qwen2_moe",
    .architecture = "Qwen2MoeForCausalLM",
    .names = names,
    .keys = keys,
    .begin = [](ModelConfig& c) { c.attention_bias = true; },
    .gguf = {.architecture = "qwen2moe", .whole_heads = true, .own_head = true},
};

}  // namespace rgm
