// weights.cpp - weights are mapped, checked against what config.json promises, and copied to the device one by one.
#include "model/weights.hpp"

#include <algorithm>
#include <set>

#include "base/json.hpp"
#include "tensor/ops.hpp"
#include "tensor/views.hpp"

namespace rgm {
namespace {

constexpr int64_t large_tensor = int64_t{16} << 20;  // elements

// (a, b, D, ...) -> (b, a, D, ...) of the first axis
Tensor regrouped(const Tensor& x, int64_t a, int64_t b) {
  const int64_t rows = x.size(0), rest = x.count() / rows;
  const int32_t swapped[] = {1, 0, 2};
  const Tensor parts = ops::reshape(ops::contiguous(x), {a, b, rows / (a * b) * rest});
  return ops::reshape(ops::contiguous(ops::permute(parts, swapped)), x.shape());
}

// What is no parameter: causal masks and tables that old files carry, and the head where it is the embedding.
bool is_ignored(std::string_view name, const ModelConfig& c) {
  for (const std::string_view buffer :
       {".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"})
    if (name.ends_with(buffer)) return true;
  return c.is_tied() && name == c.family->names.back().theirs;
}

// "transformer." of "transformer.wte.weight": files of the bare model lack it.
std::string_view prefix_of(const ModelConfig& c) {
  const std::string_view first = c.family->names.front().theirs;
  return first.substr(0, first.find('.') + 1);
}

nlohmann::json read_index(const fs::path& path) {
  const auto json = parse_json(read_file(path), path.string());
  require(json.is_object() && json.contains("weight_map") && json["weight_map"].is_object(),
          "{}: an object with a \"weight_map\" was expected", path.string());
  return json["weight_map"];
}

}  // namespace

Tensor from_file_order(const ParameterSlot& slot, const ModelConfig& config, const Tensor& x) {
  if (slot.interleaved) return regrouped(x, config.heads, 3);
  return slot.transposed ? alias(x, views::transposed(x.view())) : x;
}
Tensor to_file_order(const ParameterSlot& slot, const ModelConfig& config, const Tensor& x) {
  if (slot.interleaved) return regrouped(x, 3, config.heads);
  return slot.transposed ? alias(x, views::transposed(x.view())) : x;
}

Weights::Weights(const fs::path& folder) : path_(folder / "model.safetensors") {
  if (const fs::path index = folder / "model.safetensors.index.json"; !fs::exists(path_) && fs::exists(index)) {
    path_ = index;
    const nlohmann::json map = read_index(index);
    for (const auto& [name, file] : map.items()) {
      require(file.is_string() && fs::path(file.get<std::string>()).filename() == file.get<std::string>(),
              "{}: tensor \"{}\" lies in {}, the name of a file in this folder was expected", index.string(), name,
              file.dump());
      const auto at = files_.try_emplace(folder / file.get<std::string>(), folder / file.get<std::string>()).first;
      require(at->second.find(name) != nullptr, "{}: tensor \"{}\" is missing, though {} says that it is there",
              at->first.string(), name, index.filename().string());
    }
  } else {
    require(fs::exists(path_),
            "{}: there is no such file, and no model.safetensors.index.json: weights in the format safetensors were "
            "expected; if there is only pytorch_model.bin, save the model again",
            path_.string());
    files_.try_emplace(path_, path_);
  }
  for (const auto& [path, file] : files_)
    for (const SavedTensor& tensor : file.tensors()) {
      const bool is_new = tensors_.try_emplace(tensor.name, Found{&tensor, &path}).second;
      require(is_new, "{}: tensor \"{}\" is in another file too", path.string(), tensor.name);
    }
}

const Weights::Found* Weights::find(const ModelConfig& config, const std::string& name) const {
  auto found = tensors_.find(name);
  if (const auto prefix = prefix_of(config); found == tensors_.end() && name.starts_with(prefix))
    found = tensors_.find(std::string_view(name).substr(prefix.size()));
  return found == tensors_.end() ? nullptr : &found->second;
}

bool Weights::has_own_head(const ModelConfig& c) const {
  const Found* const head = find(c, c.family->names.back().theirs);
  const Found* const embedding = find(c, c.family->names.front().theirs);
  if (!head || !embedding) return false;
  const SavedTensor &own = *head->tensor, &shared = *embedding->tensor;
  return own.dtype != shared.dtype || own.shape != shared.shape || !std::ranges::equal(own.data, shared.data);
}

bool Weights::has_fused_experts() const {
  return std::ranges::any_of(tensors_, [](const auto& t) { return t.first.ends_with(".experts.gate_up_proj"); });
}

std::vector<Tensor> Weights::take(const ModelConfig& c, const std::vector<ParameterSlot>& slots,
                                  const NarrowWeights& narrow) const {
  std::vector<Tensor> out;
  std::set<std::string_view> used;
  for (const ParameterSlot& slot : slots) {
    const Shape want = slot.shape_there();
    const Found* found = find(c, slot.theirs);
    require(found != nullptr || !has_fused_experts(),
            "{}: the experts of a layer lie in one tensor, as transformers 5 has them in memory, one for each was "
            "expected: open the model with transformers and save it with save_pretrained",
            path_.string());
    require(found != nullptr,
            "{}: tensor \"{}\" is missing; config.json says {} with {} layers, which has it with the shape {}: make "
            "the two agree",
            path_.string(), slot.theirs, c.family->id, c.layers, want.text());
    const SavedTensor& saved = *found->tensor;
    const std::string file = found->file->string();
    const Shape have(std::span<const int64_t>(saved.shape));
    require(have == want, "{}: tensor \"{}\" has the shape {}, config.json says {}: make the two agree", file,
            slot.theirs, have.text(), want.text());
    require(is_float(saved.dtype),
            "{}: tensor \"{}\" is of {}, float32, float16 or bfloat16 was expected: use the model as it was before "
            "quantisation",
            file, slot.theirs, name_of(saved.dtype));
    used.insert(saved.name);
    const NarrowWeights::Form form = narrow.form(slot, c, saved.dtype);
    const rgm_dtype dtype = NarrowWeights::dtype(form);
    Shape own = have;
    if (slot.rows_there > 0) own[0] = slot.shape[0];
    const auto* const first =
        saved.data.data() + saved.data.size() / static_cast<size_t>(have[0]) * static_cast<size_t>(slot.first_row);
    out.push_back(
        NarrowWeights::kept(from_file_order(slot, c, ops::cast(from_host(first, own, saved.dtype), dtype)), form));
    forget(saved.data);
    if ((saved.dtype != dtype || form == NarrowWeights::Form::nf4) && have.count() > large_tensor)
      current_device().trim();  // its copy would lie idle
  }
  for (const auto& [name, found] : tensors_)
    require(used.contains(name) || is_ignored(name, c),
            "{}: tensor \"{}\" belongs to no part of {} with {} layers, as config.json has it: make the two agree",
            found.file->string(), name, c.family->id, c.layers);
  return out;
}

}  // namespace rgm
