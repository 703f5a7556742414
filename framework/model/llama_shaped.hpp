// llama_shaped.hpp - what families shaped like Llama have in common, a name for each parameter and each member of
// config.json: a family's table lists those that it has, in their order, and spells out only what is its own.
#pragma once
#include "model/family.hpp"

namespace rgm::llama_shaped {

using M = ModelConfig;

// -- parameters
constexpr ParameterName embedding{"embedding.weight", "model.embed_tokens.weight", "VC"};

constexpr ParameterName attention_norm{"layers.{i}.attention_norm.weight", "model.layers.{i}.input_layernorm.weight",
                                       "C"};
constexpr ParameterName query{"layers.{i}.attention.query.weight", "model.layers.{i}.self_attn.q_proj.weight", "AC"};
constexpr ParameterName key{"layers.{i}.attention.key.weight", "model.layers.{i}.self_attn.k_proj.weight", "KC"};
constexpr ParameterName value{"layers.{i}.attention.value.weight", "model.layers.{i}.self_attn.v_proj.weight", "KC"};
constexpr ParameterName output{"layers.{i}.attention.output.weight", "model.layers.{i}.self_attn.o_proj.weight", "CA"};

constexpr ParameterName mlp_norm{"layers.{i}.mlp_norm.weight", "model.layers.{i}.post_attention_layernorm.weight", "C"};
constexpr ParameterName gate{"layers.{i}.mlp.gate.weight", "model.layers.{i}.mlp.gate_proj.weight", "HC"};
constexpr ParameterName up{"layers.{i}.mlp.up.weight", "model.layers.{i}.mlp.up_proj.weight", "HC"};
constexpr ParameterName down{"layers.{i}.mlp.down.weight", "model.layers.{i}.mlp.down_proj.weight", "CH"};

// Where only some layers have it, as the others have experts.
constexpr ParameterName dense(ParameterName name) {
  name.mlp = Mlp::dense;
  return name;
}
constexpr ParameterName sparse(const char* ours, const char* theirs, const char* shape) {
  ParameterName name{ours, theirs, shape};
  name.mlp = Mlp::sparse;
  return name;
}
constexpr ParameterName router = sparse("layers.{i}.mlp.router.weight", "model.layers.{i}.mlp.gate.weight", "EC");
constexpr ParameterName expert_gate =
    sparse("layers.{i}.mlp.experts.{e}.gate.weight", "model.layers.{i}.mlp.experts.{e}.gate_proj.weight", "XC");
constexpr ParameterName expert_up =
    sparse("layers.{i}.mlp.experts.{e}.up.weight", "model.layers.{i}.mlp.experts.{e}.up_proj.weight", "XC");
constexpr ParameterName expert_down =
    sparse("layers.{i}.mlp.experts.{e}.down.weight", "model.layers.{i}.mlp.experts.{e}.down_proj.weight", "CX");

constexpr ParameterName norm{"norm.weight", "model.norm.weight", "C"};
constexpr ParameterName head{"head.weight", "lm_head.weight", "VC"};  // the last one, as the embedding is the first

// There where config.json says so with "attention_bias" and "mlp_bias".
constexpr ParameterName query_bias{"layers.{i}.attention.query.bias", "model.layers.{i}.self_attn.q_proj.bias", "A",
                                   false, &M::attention_bias};
constexpr ParameterName key_bias{"layers.{i}.attention.key.bias", "model.layers.{i}.self_attn.k_proj.bias", "K", false,
                                 &M::attention_bias};
constexpr ParameterName value_bias{"layers.{i}.attention.value.bias", "model.layers.{i}.self_attn.v_proj.bias", "K",
                                   false, &M::attention_bias};
constexpr ParameterName output_bias{"layers.{i}.attention.output.bias", "model.layers.{i}.self_attn.o_proj.bias", "C",
                                    false, &M::attention_bias};
constexpr ParameterName gate_bias{"layers.{i}.mlp.gate.bias", "model.layers.{i}.mlp.gate_proj.bias", "H", false,
                                  &M::mlp_bias};
constexpr ParameterName up_bias{"layers.{i}.mlp.up.bias", "model.layers.{i}.mlp.up_proj.bias", "H", false,
                                &M::mlp_bias};
constexpr ParameterName down_bias{"layers.{i}.mlp.down.bias", "model.layers.{i}.mlp.down_proj.bias", "C", false,
                                  &M::mlp_bias};
constexpr ParameterName always(ParameterName name) {
  name.when = nullptr;
  return name;
}

// Norms over the channels of each head, shape "D", or over those of all heads, "A" and "K".
constexpr ParameterName query_norm(const char* shape) {
  return {"layers.{i}.attention.query_norm.weight", "model.layers.{i}.self_attn.q_norm.weight", shape};
}
constexpr ParameterName key_norm(const char* shape) {
  return {"layers.{i}.attention.key_norm.weight", "model.layers.{i}.self_attn.k_norm.weight", shape};
}
// Norms of what attention and mlp answer, before that is added.
constexpr ParameterName attention_end_norm{"layers.{i}.attention_end_norm.weight",
                                           "model.layers.{i}.post_attention_layernorm.weight", "C"};
constexpr ParameterName mlp_end_norm{"layers.{i}.mlp_end_norm.weight",
                                     "model.layers.{i}.post_feedforward_layernorm.weight", "C"};
// Of Gemma: there, Llama's name of the norm in front of the mlp is that of the one behind attention.
constexpr ParameterName gemma_mlp_norm{"layers.{i}.mlp_norm.weight",
                                       "model.layers.{i}.pre_feedforward_layernorm.weight", "C"};

// -- members of config.json; `otherwise` as in ConfigKey
constexpr ConfigKey layers{"num_hidden_layers", &M::layers};
constexpr ConfigKey heads{"num_attention_heads", &M::heads};
constexpr ConfigKey kv_heads(const char* otherwise) { return {"num_key_value_heads", &M::kv_heads, otherwise}; }
constexpr ConfigKey head_dim(const char* otherwise) { return {"head_dim", &M::head_dim, otherwise}; }
constexpr ConfigKey channels{"hidden_size", &M::channels};
constexpr ConfigKey hidden{"intermediate_size", &M::hidden};
constexpr ConfigKey context(const char* otherwise) { return {"max_position_embeddings", &M::context, otherwise}; }
constexpr ConfigKey epsilon(const char* otherwise) { return {"rms_norm_eps", &M::epsilon, otherwise}; }
constexpr ConfigKey dropout{"attention_dropout", &M::dropout, "0.0"};
constexpr ConfigKey attention_bias{"attention_bias", &M::attention_bias, "false"};
constexpr ConfigKey mlp_bias{"mlp_bias", &M::mlp_bias, "false"};

// Of a mixture of experts; the rest of it is read in experts_json.cpp.
constexpr ConfigKey experts(const char* otherwise) { return {"num_experts", &M::experts, otherwise}; }
constexpr ConfigKey experts_per_token(const char* otherwise) {
  return {"num_experts_per_tok", &M::experts_per_token, otherwise};
}
constexpr ConfigKey expert_hidden{"moe_intermediate_size", &M::expert_hidden};
constexpr ConfigKey sparse_step{"decoder_sparse_step", &M::sparse_step, "1"};
constexpr ConfigKey normalised_experts{"norm_topk_prob", &M::normalised_experts, "false"};
constexpr ConfigKey without_windows{"use_sliding_window", {}, "false"};

}  // namespace rgm::llama_shaped
