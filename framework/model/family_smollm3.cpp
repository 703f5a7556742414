// family_smollm3.cpp - SmolLM3 (2025): as llama, with positions that turn in three layers of four (Yang et al. 2025,
// arXiv 2501.18795).
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   attention_norm, query, query_bias, key, key_bias, value, value_bias, output,
                                   output_bias, mlp_norm, gate, gate_bias, up, up_bias, down, down_bias,
                                   // at the end
                                   norm, head};

constexpr ConfigKey keys[] = {layers,           heads,           kv_heads("4"), head_dim("0"),  channels, hidden,
                              context("32768"), epsilon("1e-6"), dropout,       attention_bias, mlp_bias};

}  // namespace

extern const Family smollm3_family;
constinit const Family smollm3_family = {
    .id = "smollm3",
    .architecture = "SmolLM3ForCausalLM",
    .tied = true,
    .rope_base = 2e6,
    .unturned_each = 4,
    .windows = Windows::unturned,
    .names = names,
    .keys = keys,
    // Where it is missing, transformers takes one that a small vocabulary does not have.
    .begin = [](ModelConfig& c) { c.others["pad_token_id"] = nullptr; },
    .gguf = {.architecture = "smollm3", .pairs_side_by_side = true, .no_biases = true},
};

}  // namespace rgm
