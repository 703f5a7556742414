// family_llama.cpp - Touvron et al. 2023 and its successors: rotary positions, root mean square norms, a gated mlp.
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

constexpr ConfigKey keys[] = {layers,          heads,           kv_heads("0"), head_dim("0"),  channels, hidden,
                              context("2048"), epsilon("1e-6"), dropout,       attention_bias, mlp_bias};

}  // namespace

extern const Family llama_family;
constinit const Family llama_family = {
    .id = "llama",
    .architecture = "LlamaForCausalLM",
    .names = names,
    .keys = keys,
    .gguf = {.architecture = "llama", .pairs_side_by_side = true, .llama3 = true, .longrope = true},
};

}  // namespace rgm
