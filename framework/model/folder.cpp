// folder.cpp - the folder that a model is kept in: config.json, model.safetensors, the tokenizer, and heads.safetensors
// for what plug-ins filed.
#include <nlohmann/json.hpp>
#include <set>

#include "artefact/safetensors.hpp"
#include "model/model.hpp"
#include "model/outgoing.hpp"
#include "tensor/ops.hpp"
#include "tensor/views.hpp"

namespace rgm {
namespace {

constexpr std::string_view base_prefix = "transformer.";  // which files of the bare GPT2Model lack

Tensor uploaded(const SavedTensor& saved) {
  return from_host(saved.data.data(), Shape(std::span<const int64_t>(saved.shape)), saved.dtype);
}

// What is no parameter: causal masks that old files carry, and the head where it is the embedding.
bool is_ignored(std::string_view name, bool tied) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") || name.ends_with("rotary_emb.inv_freq") ||
         (tied && name == "lm_head.weight");
}

const SavedTensor* find(const SafeTensors& file, const std::string& name) {
  if (const SavedTensor* found = file.find(name)) return found;
  return name.starts_with(base_prefix) ? file.find(std::string_view(name).substr(base_prefix.size())) : nullptr;
}

// In the slot's memory order, as float32.
Tensor weight_of(const ParameterSlot& slot, const SafeTensors& file, const fs::path& path) {
  const SavedTensor* saved = find(file, slot.theirs);
  require(saved != nullptr, "{}: tensor \"{}\" is missing", path.string(), slot.theirs);
  const Shape want = slot.transposed ? Shape{slot.shape[1], slot.shape[0]} : slot.shape;
  const Shape have(std::span<const int64_t>(saved->shape));
  require(have == want, "{}: tensor \"{}\" has the shape {}, config.json says {}", path.string(), slot.theirs,
          have.text(), want.text());
  require(is_float(saved->dtype), "{}: tensor \"{}\" is of {}, numbers with a point were expected", path.string(),
          slot.theirs, name_of(saved->dtype));
  const Tensor x = ops::cast(uploaded(*saved), RGM_F32);
  return slot.transposed ? alias(x, views::transposed(x.view())) : x;
}

nlohmann::json read_json(const fs::path& path) {
  try {
    return nlohmann::json::parse(read_file(path));
  } catch (const nlohmann::json::exception& e) {
    invalid("{}: is not valid JSON: {}", path.string(), e.what());
  }
}

}  // namespace

std::shared_ptr<Model> Model::open(const fs::path& folder) {
  const NoGradient no_gradient;
  require(fs::is_directory(folder), "{}: there is no such folder; a model's folder was expected", folder.string());
  const fs::path config = folder / "config.json", weights = folder / "model.safetensors";
  const std::shared_ptr<Model> out(
      new Model(from_hugging_face(read_json(config), config.string()), load_tokenizer(folder)));
  const ModelConfig& c = out->config_;
  require(out->tokenizer_->vocabulary() <= c.vocabulary, "{}: the tokenizer has {} tokens, the model {}",
          folder.string(), out->tokenizer_->vocabulary(), c.vocabulary);

  const SafeTensors file(weights);
  std::set<std::string_view> used;
  for (const ParameterSlot& slot : parameter_slots(c)) {
    out->parameters_.add(slot.ours, weight_of(slot, file, weights), true);
    used.insert(find(file, slot.theirs)->name);
  }
  for (const SavedTensor& saved : file.tensors())
    require(used.contains(saved.name) || is_ignored(saved.name, c.is_tied()),
            "{}: tensor \"{}\" belongs to no part of a {} with {} layers", weights.string(), saved.name, c.family->id,
            c.layers);
  if (const fs::path heads = folder / "heads.safetensors"; fs::exists(heads)) {
    const SafeTensors extra(heads);
    for (const SavedTensor& saved : extra.tensors()) out->saved_extra_[saved.name] = uploaded(saved);
    out->notes_ = extra.metadata();
  }
  out->make_layers();
  return out;
}

std::string Model::save(const fs::path& folder) const {
  const NoGradient no_gradient;
  std::vector<OutgoingTensor> own, heads;
  for (const ParameterSlot& slot : parameter_slots(config_)) {
    const Tensor& x = parameters_.find(slot.ours)->value;
    own.push_back(outgoing(slot.theirs, slot.transposed ? alias(x, views::transposed(x.view())) : x));
  }
  for (const Parameter& p : extra_.all()) heads.push_back(outgoing(p.name, p.value));
  for (const auto& [name, value] : saved_extra_)  // nobody asked for these: they are handed on
    if (!extra_.find(name)) heads.push_back(outgoing(name, value));

  nlohmann::json json = to_hugging_face(config_);
  const auto end = tokenizer_ ? tokenizer_->end_of_text() : std::nullopt;
  json["bos_token_id"] = json["eos_token_id"] = end ? nlohmann::json(*end) : nlohmann::json();
  if (config_.outputs > 0) json["pad_token_id"] = json["eos_token_id"];  // transformers looks for the last that is not
  write_file(folder / "config.json", json.dump(2) + "\n");
  if (tokenizer_) save_tokenizer(*tokenizer_, folder);
  std::map<std::string, std::string> notes = notes_;
  notes["format"] = "pt";  // without it transformers refuses the file
  if (!heads.empty()) write_safetensors(folder / "heads.safetensors", heads, notes);
  return write_safetensors(folder / "model.safetensors", own, {{"format", "pt"}});
}

}  // namespace rgm
