// family_mixtral.cpp - Jiang et al. 2024 (arXiv 2401.04088): as mistral, with a mixture of experts for the mlp.
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {
    embedding,
    // of each layer
    attention_norm, query, key, value, output, mlp_norm,
    sparse("layers.{i}.mlp.router.weight", "model.layers.{i}.block_sparse_moe.gate.weight", "EC"),
    sparse("layers.{i}.mlp.experts.{e}.gate.weight", "model.layers.{i}.block_sparse_moe.experts.{e}.w1.weight", "XC"),
    sparse("layers.{i}.mlp.experts.{e}.up.weight", "model.layers.{i}.block_sparse_moe.experts.{e}.w3.weight", "XC"),
    sparse("layers.{i}.mlp.experts.{e}.down.weight", "model.layers.{i}.block_sparse_moe.experts.{e}.w2.weight", "CX"),
    // at the end
    norm, head};

constexpr ConfigKey keys[] = {layers,
                              heads,
                              kv_heads("8"),
                              head_dim("0"),
                              channels,
                              {"intermediate_size", &M::expert_hidden},
                              context("131072"),
                              epsilon("1e-5"),
                              dropout,
                              experts("8"),
                              experts_per_token("2"),
                              {"router_jitter_noise", {}, "0.0"}};

}  // namespace

extern const Family mixtral_family;
constinit const Family mixtral_family = {
    .id = "mixtral",
    .architecture = "MixtralForCausalLM",
    .epsilon = 1e-5,
    .windows = Windows::all,
    .names = names,
    .keys = keys,
    .normalised_experts = true,
    .gguf = {.architecture = "llama",
             .pairs_side_by_side = true,
             .llama3 = true,
             .longrope = true,
             .normalised_experts = true},
};

}  // namespace rgm
