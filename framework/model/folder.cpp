// folder.cpp - the folder that a model is kept in: config.json, model.safetensors, the tokenizer, and heads.safetensors
// for what plug-ins filed.

#include <algorithm>
#include <utility>

#include "artefact/safetensors.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "model/model.hpp"
#include "model/outgoing.hpp"
#include "model/weights.hpp"
#include "tensor/ops.hpp"
#include "tensor/quantized.hpp"
#include "tensor/tape.hpp"

namespace rgm {
namespace {

constexpr const char* generation_file = "generation_config.json";

Tensor uploaded(const SavedTensor& saved) {
  return from_host(saved.data.data(), Shape(std::span<const int64_t>(saved.shape)), saved.dtype);
}

// A classifier of transformers reads a padded row at its last token that is not this one, so it has to be what its rows
// are padded with: the base's own, that of the tokenizer, or the one that ends a text.
nlohmann::json pad_id(const nlohmann::json& config, const Tokenizer* tokenizer) {
  if (const auto own = config.find("pad_token_id"); own != config.end() && own->is_number_integer()) return *own;
  if (tokenizer) {
    nlohmann::json pad = tokenizer->config_json().value("pad_token", nlohmann::json());
    if (pad.is_object()) pad = pad.value("content", nlohmann::json());  // with how it is stripped beside the name
    if (const auto found = tokenizer->specials().find(pad.is_string() ? pad.get<std::string>() : "");
        found != tokenizer->specials().end())
      return found->second;
  }
  const nlohmann::json end = config.value("eos_token_id", nlohmann::json());
  return end.is_array() && !end.empty() ? end[0] : end;
}

// The values of quantized weights, and of those that lie in one tensor there, are made when their turn comes.
OutgoingTensor outgoing_values(const ParameterSlot& slot, const ModelConfig& config, std::vector<Tensor> weights) {
  const bool narrow =
      std::ranges::all_of(weights, [](const Tensor& w) { return w.dtype() == RGM_BF16 || is_quantized(w); });
  const rgm_dtype dtype = narrow ? RGM_BF16 : RGM_F32;
  const Shape shape = slot.shape_there();
  return {slot.theirs, dtype, {shape.begin(), shape.end()}, [=](const OutgoingTensor::Put& put) {
            for (const Tensor& w : weights) {
              const Tensor values = is_quantized(w) ? readable(w, dtype) : w.dtype() == dtype ? w : ops::cast(w, dtype);
              outgoing(slot.theirs, to_file_order(slot, config, values)).data(put);
            }
          }};
}

}  // namespace

std::shared_ptr<Model> Model::open(const fs::path& folder, const NarrowWeights& narrow) {
  const NoGradient no_gradient;
  require(fs::is_directory(folder), "{}: there is no such folder; a model's folder was expected", folder.string());
  const fs::path config = folder / "config.json";
  ModelConfig sizes = from_hugging_face(parse_json(read_file(config), config.string()), config.string());
  TokenizerPtr tokenizer = load_tokenizer(folder, sizes.vocabulary);
  std::shared_ptr<Model> out(new Model(std::move(sizes), std::move(tokenizer)));
  ModelConfig& c = out->config_;
  require(out->tokenizer_->vocabulary() <= c.vocabulary, "{}: the tokenizer has {} tokens, the model {}",
          folder.string(), out->tokenizer_->vocabulary(), c.vocabulary);

  if (const fs::path file = folder / generation_file; fs::exists(file)) {
    c.generation = parse_json(read_file(file), file.string());
    require(c.generation.is_object(), "{}: not a JSON object", file.string());
  }
  const Weights weights(folder);
  if (c.is_tied() && c.outputs == 0 && weights.has_own_head(c)) {  // as transformers 5 decides
    log::warning(
        "{}: \"tie_word_embeddings\" is true, but \"{}\" in the weights is not the embedding: it is taken as the head; "
        "write false there",
        config.string(), c.family->names.back().theirs);
    c.tied = false;
  }
  const auto slots = parameter_slots(c);
  std::vector<Tensor> values = weights.take(c, slots, narrow);
  for (size_t i = 0; i < slots.size(); ++i) {
    const bool trained = values[i].dtype() == RGM_F32 && !is_quantized(values[i]);
    out->parameters_.add(slots[i].ours, std::move(values[i]), trained);
  }
  out->narrow_ = narrow.any();
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
  if (packed_) throw Error(RGM_INTERNAL, "a packed model cannot be saved");
  std::vector<OutgoingTensor> own, heads;
  std::vector<Tensor> joined;
  for (const ParameterSlot& slot : parameter_slots(config_)) {
    const Tensor& value = parameters_.find(slot.ours)->value;
    if (slot.rows_there == 0) {
      own.push_back(is_quantized(value) ? outgoing_values(slot, config_, {value})
                                        : outgoing(slot.theirs, to_file_order(slot, config_, value)));
      continue;
    }
    joined.push_back(value);
    if (slot.first_row + slot.shape[0] == slot.rows_there)
      own.push_back(outgoing_values(slot, config_, std::exchange(joined, {})));
  }
  for (const Parameter& p : extra_.all()) heads.push_back(outgoing(p.name, p.value));
  for (const auto& [name, value] : saved_extra_)  // nobody asked for these: they are handed on
    if (!extra_.find(name)) heads.push_back(outgoing(name, value));

  nlohmann::json json = to_hugging_face(config_);
  const auto end = tokenizer_ ? tokenizer_->end_of_text() : std::nullopt;
  for (const char* key : {"bos_token_id", "eos_token_id"})  // what was opened may have others, or several
    if (!json.contains(key)) json[key] = end ? nlohmann::json(*end) : nlohmann::json();
  if (config_.outputs > 0) json["pad_token_id"] = pad_id(json, tokenizer_.get());
  write_file(folder / "config.json", json.dump(2) + "\n");
  if (config_.generation.is_object()) write_file(folder / generation_file, config_.generation.dump(2) + "\n");
  if (tokenizer_) save_tokenizer(*tokenizer_, folder);
  std::map<std::string, std::string> notes = notes_;
  notes["format"] = "pt";  // without it transformers refuses the file
  if (!heads.empty()) write_safetensors(folder / "heads.safetensors", heads, notes);
  return write_safetensors(folder / "model.safetensors", own, {{"format", "pt"}});
}

}  // namespace rgm
