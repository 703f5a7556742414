// to_gguf.hpp - a model as llama.cpp reads it: metadata and tensors of a GGUF file.
#pragma once
#include "artefact/gguf.hpp"
#include "model/model.hpp"

namespace rgm {

// Matrices become `type`; what llama.cpp wants in float32 stays that, and rows that are no multiple of 32 become
// float16 in place of q8_0. Values are made one tensor at a time when they are written; the model must live until then.
// RGM_INVALID naming what llama.cpp does not compute as it is computed here, or what the format has no place for.
struct GgufModel {
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;
  int64_t longest = 0;  // tokens a text may have, where that is fewer than the model's context
};
GgufModel to_gguf(const Model& model, const std::string& name, GgufType type);

// Of that: the keys of the model's architecture, and the tensors beside its weights.
struct GgufArchitecture {
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;
  int64_t context = 0;
};
GgufArchitecture gguf_architecture(const ModelConfig& config);
std::string gguf_name(const std::string& ours);  // of a parameter: "blk.0.attn_q.weight"

}  // namespace rgm
