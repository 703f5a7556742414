// adapter_head.cpp - a classifier's head travels with the adapter it was trained beside, under PEFT's names: what it
// calls modules_to_save.
#include "artefact/safetensors.hpp"
#include "host/adapter_instance.hpp"
#include "tensor/ops.hpp"

namespace rgm {

namespace {

// What was written here says what they are called. PEFT leaves them to the model; where that has no such labels, they
// are called as in transformers.
std::vector<std::string> labels_of(const nlohmann::json& config, int64_t outputs, const ModelConfig& model) {
  if (config.contains("regimen_labels")) return config["regimen_labels"].get<std::vector<std::string>>();
  if (model.outputs == outputs) return model.labels;
  std::vector<std::string> out;
  for (int64_t i = 0; outputs > 1 && i < outputs; ++i) out.push_back(fmt::format("LABEL_{}", i));
  return out;
}

// A head found in `folder` at `path`.
void describe_head(const SavedTensor& head, const fs::path& folder, const fs::path& path, ModelConfig& config) {
  const int64_t channels = config.channels;
  require(head.shape.size() == 2 && head.shape[1] == channels && head.shape[0] > 0 && is_float(head.dtype),
          "{}: \"{}\" is not a head for {} channels", path.string(), head.name, channels);
  const int64_t outputs = head.shape[0];
  const std::vector<std::string> labels = labels_of(read_adapter_config(folder), outputs, config);
  require(labels.empty() || static_cast<int64_t>(labels.size()) == outputs, "{}: {} labels for {} outputs",
          (folder / adapter_config_file).string(), labels.size(), outputs);
  config.outputs = outputs;
  config.labels = labels;
}

}  // namespace

const SavedTensor* saved_head(const SafeTensors& file) {
  for (const char* const key : head_keys)
    if (const SavedTensor* const found = file.find(key)) return found;
  return nullptr;
}

void take_saved_head(const fs::path& folder, ModelConfig& config) {
  const fs::path path = adapter_tensors(folder);
  const SafeTensors file(path);
  if (const SavedTensor* const found = saved_head(file)) describe_head(*found, folder, path, config);
}

void take_saved_head(const fs::path& folder, Model& model) {
  const NoGradient no_gradient;
  const fs::path path = adapter_tensors(folder);
  const SafeTensors file(path);
  const SavedTensor* const found = saved_head(file);
  if (!found) return;
  ModelConfig config = model.config();
  describe_head(*found, folder, path, config);
  model.add_head(config.outputs, config.labels, 0);
  const Tensor value = from_host(found->data.data(), {config.outputs, config.channels}, found->dtype);
  assign(model.parameters().find("score.weight")->value, ops::cast(value, RGM_F32));
}

}  // namespace rgm
