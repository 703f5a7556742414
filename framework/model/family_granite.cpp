// family_granite.cpp - IBM's Granite 3 (2024), dense: as llama, with multipliers that let settings found on a small
// model serve large ones (Yang et al. 2022, arXiv 2203.03466).
#include <algorithm>

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

constexpr ConfigKey keys[] = {layers, heads, kv_heads("0"), head_dim("0"), channels, hidden, context("2048"),
                              epsilon("1e-6"), dropout, attention_bias, mlp_bias,
                              // of its own
                              ConfigKey{"embedding_multiplier", &M::embedding_multiplier, "1.0"},
                              ConfigKey{"attention_multiplier", &M::attention_scale, "1.0"},
                              ConfigKey{"residual_multiplier", &M::residual_multiplier, "1.0"},
                              ConfigKey{"logits_scaling", &M::logits_divisor, "1.0"}};

// As Granite 3.0: its logits are divided by 8 at 2,048 channels, and by 16 at 4,096.
void begin(ModelConfig& c) {
  c.embedding_multiplier = 12, c.residual_multiplier = 0.22;
  c.attention_scale = 1 / static_cast<double>(c.head_dim);
  c.logits_divisor = std::max(1.0, static_cast<double>(c.channels) / 256);
}

}  // namespace

extern const Family granite_family;
constinit const Family granite_family = {
    .id = "granite",
    .architecture = "GraniteForCausalLM",
    .names = names,
    .keys = keys,
    .begin = begin,
    .gguf = {.architecture = "granite", .pairs_side_by_side = true, .llama3 = true, .longrope = true},
};

}  // namespace rgm
