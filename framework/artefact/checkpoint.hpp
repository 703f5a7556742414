// checkpoint.hpp - checkpoints of a stage: folder/step-N/ with state.json and tensors.safetensors. state.json is
// written last and holds the other file's SHA-256, so a torn checkpoint is seen and the one before is used.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "artefact/safetensors.hpp"

namespace rgm {

struct Checkpoint {
  int64_t step = 0;
  nlohmann::json state;
  SafeTensors tensors;
};

class Checkpoints {
 public:
  explicit Checkpoints(fs::path folder);
  // Writes step-N, then removes all but the newest two.
  void write(int64_t step, const nlohmann::json& state, std::span<const OutgoingTensor> tensors);
  // The newest whole one; says with a warning which torn ones it passed over.
  std::optional<Checkpoint> newest() const;
  void remove_all();

 private:
  fs::path folder_;
};

}  // namespace rgm
