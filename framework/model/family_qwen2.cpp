// family_qwen2.cpp - Qwen2 and 2.5: as llama, with biases of query, key and value.
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   attention_norm, query, always(query_bias), key, always(key_bias), value,
                                   always(value_bias), output, mlp_norm, gate, up, down,
                                   // at the end
                                   norm, head};

constexpr ConfigKey keys[] = {layers,           heads,           kv_heads("0"), head_dim("0"), channels, hidden,
                              context("32768"), epsilon("1e-6"), dropout};

}  // namespace

extern const Family qwen2_family;
constinit const Family qwen2_family = {
    .id = "qwen2",
    .architecture = "Qwen2ForCausalLM",
    .windows = Windows::upper,
    .names = names,
    .keys = keys,
    .gguf = {.architecture = "qwen2", .whole_heads = true},
};

}  // namespace rgm
