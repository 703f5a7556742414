// adapter_head.cpp - a classifier's head travels with the adapter it was trained beside, under PEFT's names: what it
// calls modules_to_save.
#include "artefact/safetensors.hpp"
#include "host/adapter_instance.hpp"
#include "tensor/ops.hpp"

namespace rgm {

const SavedTensor* saved_head(const SafeTensors& file) {
  for (const char* const key : head_keys)
    if (const SavedTensor* const found = file.find(key)) return found;
  return nullptr;
}

void take_saved_head(const fs::path& folder, Model& model) {
  const NoGradient no_gradient;
  const fs::path path = folder / adapter_tensors_file;
  const SafeTensors file(path);
  const SavedTensor* const found = saved_head(file);
  if (!found) return;
  const int64_t channels = model.config().channels;
  require(found->shape.size() == 2 && found->shape[1] == channels && found->shape[0] > 0 && is_float(found->dtype),
          "{}: \"{}\" is no head for {} channels", path.string(), found->name, channels);
  const nlohmann::json config = read_adapter_config(folder);
  const auto labels = config.value("regimen_labels", std::vector<std::string>());
  const int64_t outputs = found->shape[0];
  require(labels.empty() || static_cast<int64_t>(labels.size()) == outputs, "{}: {} labels for {} outputs",
          (folder / adapter_config_file).string(), labels.size(), outputs);
  model.add_head(outputs, labels, 0);
  const Tensor value = from_host(found->data.data(), {outputs, channels}, found->dtype);
  assign(model.parameters().find("score.weight")->value, ops::cast(value, RGM_F32));
}

}  // namespace rgm
