// family_phi3.cpp - Phi-3, Phi-3.5 and Phi-4 (2024): as llama, with query, key and value in one tensor of the file,
// gate and up in another; longrope; positions in part of the channels (Phi-4-mini).
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

// In memory they lie apart, so that each may be frozen, quantised or orthogonalised on its own.
constexpr ParameterName in_tensor(ParameterName name, const char* theirs) {
  name.theirs = theirs;
  return name;
}
constexpr const char *qkv = "model.layers.{i}.self_attn.qkv_proj.weight",
                     *gate_up = "model.layers.{i}.mlp.gate_up_proj.weight";

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   attention_norm, in_tensor(query, qkv), in_tensor(key, qkv), in_tensor(value, qkv),
                                   output, mlp_norm, in_tensor(gate, gate_up), in_tensor(up, gate_up), down,
                                   // at the end
                                   norm, head};

constexpr ConfigKey keys[] = {layers,
                              heads,
                              kv_heads("0"),
                              channels,
                              hidden,
                              context("4096"),
                              epsilon("1e-5"),
                              ConfigKey{"resid_pdrop", &M::dropout, "0.0"},
                              ConfigKey{"embd_pdrop", &M::dropout, "0.0"},
                              dropout};

}  // namespace

extern const Family phi3_family;
constinit const Family phi3_family = {
    .id = "phi3",
    .architecture = "Phi3ForCausalLM",
    .epsilon = 1e-5,
    .part_key = "partial_rotary_factor",
    .windows = Windows::stated,
    .names = names,
    .keys = keys,
    // transformers takes token 32000 for padding where none is named, which a small vocabulary lacks.
    .begin = [](ModelConfig& c) { c.others["pad_token_id"] = nullptr; },
    .gguf = {.architecture = "phi3", .longrope = true, .whole_heads = true},
};

}  // namespace rgm
