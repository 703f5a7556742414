// family_mistral.cpp - Jiang et al. 2023: as llama, with a window that every layer looks back over.
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   attention_norm, query, key, value, output, mlp_norm, gate, up, down,
                                   // at the end
                                   norm, head};

constexpr ConfigKey keys[] = {
    layers, heads, kv_heads("8"), head_dim("0"), channels, hidden, context("131072"), epsilon("1e-6"), dropout};

}  // namespace

extern const Family mistral_family;
constinit const Family mistral_family = {
    .id = "mistral",
    .architecture = "MistralForCausalLM",
    .windows = Windows::all,
    .names = names,
    .keys = keys,
    .gguf = {.architecture = "llama", .pairs_side_by_side = true, .llama3 = true, .longrope = true},
};

}  // namespace rgm
