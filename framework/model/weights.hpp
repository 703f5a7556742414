// weights.hpp - the weights of a folder in Hugging Face's layout: one file, or several with an index.
#pragma once
#include <map>

#include "artefact/safetensors.hpp"
#include "model/narrow.hpp"
#include "tensor/tensor.hpp"

namespace rgm {

class Weights {
 public:
  // Maps model.safetensors, or the files that model.safetensors.index.json names. RGM_INVALID when neither is there, or
  // when a file lacks a tensor that the index says it has.
  explicit Weights(const fs::path& folder);
  // Whether a head over tokens lies there that is not the embedding, whatever config.json says.
  bool has_own_head(const ModelConfig& config) const;
  // The value of every slot, in its order, on the device, as float32 or as `narrow` says. RGM_INVALID naming file and
  // tensor when one is missing, misshaped or of no real numbers, and when there are others than the model has.
  std::vector<Tensor> take(const ModelConfig& config, const std::vector<ParameterSlot>& slots,
                           const NarrowWeights& narrow) const;

 private:
  struct Found {
    const SavedTensor* tensor;
    const fs::path* file;
  };
  const Found* find(const ModelConfig& config, const std::string& name) const;
  bool has_fused_experts() const;

  std::map<fs::path, SafeTensors> files_;
  std::map<std::string, Found, std::less<>> tensors_;
  fs::path path_;  // of the file, or of the index
};

// From the file's order of axes and rows to ours, and back; of queries, keys and values of one head after the other.
Tensor from_file_order(const ParameterSlot& slot, const ModelConfig& config, const Tensor& x);
Tensor to_file_order(const ParameterSlot& slot, const ModelConfig& config, const Tensor& x);

}  // namespace rgm
