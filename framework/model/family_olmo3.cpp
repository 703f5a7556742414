// family_olmo3.cpp - OLMo 3 (2025): as OLMo 2, with a window in three layers of four; scaled positions are those of the
// fourth alone.
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

extern const Family olmo3_family;
constinit const Family olmo3_family = {
    .id = "olmo3",
    .architecture = "Olmo3ForCausalLM",
    .epsilon = 1e-5,
    .rope_base = 5e5,
    .window_rope_base = 5e5,
    .windows = Windows::alternate,
    .full_each = 4,
    .names = names,
    .keys = keys,
    .begin = [](ModelConfig& c) { c.windows = usual_windows(c, 4096); },
    .gguf = {.architecture = "olmo2", .windows = true, .whole_heads = true, .own_head = true, .no_biases = true},
};

}  // namespace rgm
