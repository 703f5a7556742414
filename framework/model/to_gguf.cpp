// to_gguf.cpp - the weights of a model under llama.cpp's names and in its order of rows.
#include "model/to_gguf.hpp"

#include <algorithm>
#include <cctype>

#include "base/error.hpp"
#include "model/outgoing.hpp"
#include "tensor/ops.hpp"
#include "tensor/tape.hpp"
#include "text/gguf_tokenizer.hpp"
#include "text/special_tokens.hpp"

namespace rgm {
namespace {

// Of modules.
constexpr std::pair<std::string_view, std::string_view> module_names[] = {{"embedding", "token_embd"},
                                                                          {"positions", "position_embd"},
                                                                          {"norm", "output_norm"},
                                                                          {"head", "output"},
                                                                          {"attention_norm", "attn_norm"},
                                                                          {"attention.qkv", "attn_qkv"},
                                                                          {"attention.query", "attn_q"},
                                                                          {"attention.key", "attn_k"},
                                                                          {"attention.value", "attn_v"},
                                                                          {"attention.output", "attn_output"},
                                                                          {"attention.query_norm", "attn_q_norm"},
                                                                          {"attention.key_norm", "attn_k_norm"},
                                                                          {"query_norm", "attn_q_norm"},
                                                                          {"key_norm", "attn_k_norm"},
                                                                          {"attention_end_norm", "post_attention_norm"},
                                                                          {"mlp_norm", "ffn_norm"},
                                                                          {"mlp_end_norm", "post_ffw_norm"},
                                                                          {"mlp.gate", "ffn_gate"},
                                                                          {"mlp.up", "ffn_up"},
                                                                          {"mlp.down", "ffn_down"},
                                                                          {"mlp.router", "ffn_gate_inp"},
                                                                          {"mlp.experts.gate", "ffn_gate_exps"},
                                                                          {"mlp.experts.up", "ffn_up_exps"},
                                                                          {"mlp.experts.down", "ffn_down_exps"},
                                                                          {"mlp.shared_gate", "ffn_gate_inp_shexp"},
                                                                          {"mlp.shared.gate", "ffn_gate_shexp"},
                                                                          {"mlp.shared.up", "ffn_up_shexp"},
                                                                          {"mlp.shared.down", "ffn_down_shexp"}};

// Of the first of several that lie in one tensor, and of that.
constexpr std::pair<std::string_view, std::string_view> joint_names[] = {{"attn_q.", "attn_qkv."},
                                                                         {"ffn_gate.", "ffn_up."}};

std::string joint_name(std::string name) {
  for (const auto& [own, joint] : joint_names)
    if (const size_t at = name.find(own); at != name.npos) name.replace(at, own.size(), joint);
  return name;
}

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
  return std::ranges::any_of(endings, [&](std::string_view ending) { return name.ends_with(ending); });
}

// (H, 2, D / 2, ...) -> (H, D / 2, 2, ...) of the first axis: the halves of a head become neighbours.
Tensor with_pairs_side_by_side(const Tensor& x, int64_t head_dim) {
  const int64_t rows = x.size(0), half = head_dim / 2;
  const int32_t order[] = {0, 2, 1, 3};
  const Tensor parts = ops::reshape(ops::contiguous(x), {rows / head_dim, 2, half, x.count() / rows});
  return ops::reshape(ops::contiguous(ops::permute(parts, order)), x.shape());
}

// As llama.cpp has it, in the order of axes of the shape.
Tensor in_their_order(const std::string& name, const Tensor& x, const ModelConfig& c) {
  if (c.family->weights_from_one && ends_with_any(name, {"norm.weight"})) return ops::affine(x, 1, 1);
  const bool turns = ends_with_any(
      name, {"attention.query.weight", "attention.key.weight", "attention.query.bias", "attention.key.bias"});
  return turns && c.family->gguf.pairs_side_by_side ? with_pairs_side_by_side(x, c.head_dim) : x;
}

GgufType type_of(const std::string& name, const std::vector<int64_t>& shape, GgufType wanted) {
  if (shape.size() == 1 || ends_with_any(name, {"position_embd.weight", "ffn_gate_inp.weight"}))
    return GgufType::float32;
  return wanted == GgufType::q8_0 && shape.back() % gguf_block != 0 ? GgufType::float16 : wanted;
}

// Several weights that are one tensor there, one below the other, or one expert behind the other.
GgufTensor joined(const std::string& name, const std::vector<std::pair<std::string, Tensor>>& weights,
                  const ModelConfig& c, GgufType type) {
  const Shape first = weights[0].second.shape();
  const bool experts = weights[0].first.find(".experts.") != std::string::npos;
  std::vector<int64_t> shape(first.begin(), first.end());
  if (experts) shape.insert(shape.begin(), std::ssize(weights));
  if (!experts)
    for (size_t i = 1; i < weights.size(); ++i) shape[0] += weights[i].second.size(0);
  if (shape.size() == 2 && shape[0] == 1 && ends_with_any(name, {"inp_shexp.weight"})) shape.erase(shape.begin());
  const bool half = std::ranges::all_of(weights, [](const auto& w) { return w.second.dtype() == RGM_BF16; });
  const GgufType written = type_of(name, shape, type);
  return {{name, half ? RGM_BF16 : RGM_F32, std::move(shape),
           [weights, &c, half, name](const OutgoingTensor::Put& put) {
             const NoGradient no_gradient;
             for (const auto& [ours, value] : weights) {
               const Tensor wide = half ? value : ops::cast(value, RGM_F32);
               outgoing(name, in_their_order(ours, wide, c)).data(put);
             }
           }},
          written};
}

// llama.cpp looks for some tokens in what is called so, and does not open a file without them.
bool lacks_tokens_of_its_name(std::string name, const SpecialTokens& specials) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name.find("phi3") == name.npos && name.find("phi-3") == name.npos) return false;
  return !specials.contains("<unk>") || !specials.contains("<s>") || !specials.contains("<|endoftext|>");
}
bool is_name(const GgufMetadata::value_type& entry) { return entry.first == "general.name"; }

}  // namespace

std::string gguf_name(const std::string& ours) {
  const size_t last = ours.rfind('.');
  std::string_view module = std::string_view(ours).substr(0, last);
  std::string layer, whole;
  if (module.starts_with("layers.")) {
    module.remove_prefix(7);
    layer = fmt::format("blk.{}.", module.substr(0, module.find('.')));
    module.remove_prefix(module.find('.') + 1);
  }
  // Experts are numbered, and all of them are one tensor.
  constexpr std::string_view experts = "mlp.experts.";
  if (module.starts_with(experts)) module = whole = fmt::format("{}{}", experts, module.substr(module.rfind('.') + 1));
  const auto found = std::ranges::find(module_names, module, [](const auto& pair) { return pair.first; });
  if (found == std::end(module_names)) throw Error(RGM_INTERNAL, fmt::format("{} has no name in GGUF", ours));
  return fmt::format("{}{}{}", layer, found->second, ours.substr(last));
}

GgufModel to_gguf(const Model& model, const std::string& name, GgufType type) {
  const ModelConfig& c = model.config();
  GgufArchitecture architecture = gguf_architecture(c);
  GgufModel out{.metadata = {{"general.architecture", c.family->gguf.architecture},
                             {"general.type", "model"},
                             {"general.name", name},
                             {"general.file_type", gguf_file_type(type)}},
                .tensors = std::move(architecture.tensors),
                .longest = architecture.context < c.context ? architecture.context : 0};
  const TokenizerPtr& tokenizer = model.tokenizer();
  if (lacks_tokens_of_its_name(name, tokenizer->specials())) std::erase_if(out.metadata, is_name);
  if (type == GgufType::q8_0) out.metadata.emplace_back("general.quantization_version", uint32_t{2});
  std::ranges::move(architecture.metadata, std::back_inserter(out.metadata));
  std::ranges::move(gguf_tokenizer(*tokenizer, c.vocabulary, ends_of_text(c)), std::back_inserter(out.metadata));

  std::vector<std::pair<std::string, Tensor>> together;
  const std::vector<ParameterSlot> slots = parameter_slots(c);
  for (size_t i = 0; i < slots.size(); ++i) {
    together.emplace_back(slots[i].ours, model.parameters().find(slots[i].ours)->value);
    const bool is_part = slots[i].rows_there > 0 && slots[i].first_row + slots[i].shape[0] < slots[i].rows_there;
    const std::string own = gguf_name(slots[i].ours);
    if (is_part || (i + 1 < slots.size() && gguf_name(slots[i + 1].ours) == own)) continue;
    std::string name_there = gguf_name(together[0].first);
    if (slots[i].rows_there > 0) name_there = joint_name(std::move(name_there));
    out.tensors.push_back(joined(name_there, std::exchange(together, {}), c, type));
  }
  if (c.is_tied() && c.family->gguf.own_head)
    out.tensors.push_back(
        joined("output.weight", {{"head.weight", model.parameters().find("embedding.weight")->value}}, c, type));
  return out;
}

}  // namespace rgm
