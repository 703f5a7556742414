// family_gemma3.cpp - Gemma 3 (2025), its text part: as Gemma 2, with norms of queries and keys in place of the caps,
// and two bases of positions: of the five layers in six that look back over a window, and of the one that sees all.
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   attention_norm, query, query_bias, key, key_bias, value, value_bias, output,
                                   output_bias, query_norm("D"), key_norm("D"), attention_end_norm, gemma_mlp_norm,
                                   gate, up, down, mlp_end_norm,
                                   // at the end
                                   norm, head};

constexpr ConfigKey keys[] = {layers, heads, kv_heads("4"), head_dim("256"), channels, hidden, context("131072"),
                              epsilon("1e-6"), dropout, attention_bias,
                              // of its own
                              ConfigKey{"query_pre_attn_scalar", &M::query_scalar, "256"},
                              ConfigKey{"final_logit_softcapping", &M::logits_softcap, "null"},
                              // transformers has it in config.json, and caps no scores
                              ConfigKey{"attn_logit_softcapping", {}, "null"},
                              ConfigKey{"use_bidirectional_attention", {}, "false"}};

}  // namespace

extern const Family gemma3_family;
constinit const Family gemma3_family = {
    .id = "gemma3",
    .architecture = "Gemma3ForCausalLM",
    .model_type = "gemma3_text",
    .activation = RGM_GELU_TANH,
    .activation_key = "hidden_activation",
    .activation_name = "gelu_pytorch_tanh",
    .tied = true,
    .weights_from_one = true,
    .scaled_embedding = true,
    .rope_base = 1e6,
    .window_rope_base = 1e4,
    .window_rope_key = "rope_local_base_freq",
    .windows = Windows::alternate,
    .full_each = 6,
    .names = names,
    .keys = keys,
    .begin = [](ModelConfig& c) { c.windows = usual_windows(c, 512); },
    .gguf = {.architecture = "gemma3", .windows = true, .yarn = false, .no_biases = true, .scaled_by_channels = 62},
};

}  // namespace rgm
