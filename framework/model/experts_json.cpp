// experts_json.cpp - mixtures of experts in config.json, as far as the families' tables leave it out: which layers have
// one, and what an even load weighs.
#include <algorithm>

#include "base/error.hpp"
#include "model/members.hpp"

namespace rgm {
namespace {

using Json = nlohmann::json;

// Transformers calls them one way or the other, by family and version, and takes both.
constexpr const char *experts_key = "num_experts", *experts_key_too = "num_local_experts";
constexpr const char *dense_layers_key = "mlp_only_layers", *step_key = "decoder_sparse_step";
constexpr const char *balance_key = "router_aux_loss_coef", *balances_key = "output_router_logits";

bool may_be_dense(const Family& family) {
  return std::ranges::any_of(family.keys, [](const ConfigKey& k) { return std::string_view(k.theirs) == step_key; });
}

}  // namespace

void read_experts(const Members& m, ModelConfig& c) {
  if (!c.family->has_experts()) return;
  for (const char* key : {experts_key, experts_key_too}) c.experts = m.size(key, c.experts);
  if (c.family->normalised_experts) c.normalised_experts = true;
  if (may_be_dense(*c.family) && m.has(dense_layers_key)) {
    const Json& layers = m[dense_layers_key];
    const auto is_layer = [](const Json& i) { return i.is_number_integer() && i >= 0 && i < 1 << 16; };
    require(layers.is_array() && std::ranges::all_of(layers, is_layer),
            "{}: \"{}\" is {}, a list of layers was expected", m.where(), dense_layers_key, layers.dump());
    c.dense_layers = layers.get<std::vector<int64_t>>();
  }
  // Without the logits of the routers transformers leaves the term out, whatever it weighs.
  if (m.flag(balances_key, false))
    c.balance = m.real(balance_key, 0.001);
  else if (const Json* unused = m.find(balance_key))
    c.others[balance_key] = *unused;
}

void write_experts(const ModelConfig& c, Json& out) {
  if (!c.family->has_experts()) return;
  out[experts_key] = out[experts_key_too] = c.experts;
  if (may_be_dense(*c.family)) out[dense_layers_key] = c.dense_layers;
  out[balances_key] = c.balance > 0;
  if (c.balance > 0) out[balance_key] = c.balance;
}

}  // namespace rgm
