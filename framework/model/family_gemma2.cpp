// family_gemma2.cpp - Gemma 2 (2024): norms around attention and mlp, soft caps, a window in every other layer.
#include "model/llama_shaped.hpp"

namespace rgm {
namespace {

using namespace llama_shaped;

constexpr ParameterName names[] = {embedding,
                                   // of each layer
                                   attention_norm, query, query_bias, key, key_bias, value, value_bias, output,
                                   output_bias, attention_end_norm, gemma_mlp_norm, gate, up, down, mlp_end_norm,
                                   // at the end
                                   norm, head};

constexpr ConfigKey keys[] = {layers, heads, kv_heads("4"), head_dim("256"), channels, hidden, context("8192"),
                              epsilon("1e-6"), dropout, attention_bias,
                              // of its own
                              ConfigKey{"query_pre_attn_scalar", &M::query_scalar, "256"},
                              ConfigKey{"attn_logit_softcapping", &M::attention_softcap, "50.0"},
                              ConfigKey{"final_logit_softcapping", &M::logits_softcap, "30.0"},
                              ConfigKey{"use_bidirectional_attention", {}, "false"}};

void begin(ModelConfig& c) {
  c.attention_softcap = 50, c.logits_softcap = 30;
  c.windows = usual_windows(c, 4096);
}

}  // namespace

extern const Family gemma2_family;
constinit const Family gemma2_family = {
    .id = "gemma2",
    .architecture = "Gemma2ForCausalLM",
    .activation = RGM_GELU_TANH,
    .activation_key = "hidden_activation",
    .activation_name = "gelu_pytorch_tanh",
    .tied = true,
    .weights_from_one = true,
    .scaled_embedding = true,
    .windows = Windows::alternate,
    .names = names,
    .keys = keys,
    .begin = begin,
    .gguf = {.architecture = "gemma2",
             .windows = true,
             .tied_head = true,
             .no_biases = true,
             .soft_caps = true,
             .scaled_by_channels = 46},
};

}  // namespace rgm
