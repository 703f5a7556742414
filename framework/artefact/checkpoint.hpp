// checkpoint.hpp - checkpoints of a stage: folder/step-N/ with state.json and tensors.safetensors. state.json is
// written last and holds the other file's SHA-256, so a torn checkpoint is seen and the one before is used. Those of
// other settings wait in folder/other-HASH/ until their settings come back or the stage is done.
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
  bool any() const;  // there are some, whole or not: nothing of them is read
  // What other settings have left goes into a folder of its own, which is answered, with the files `beside` that are
  // theirs. `owner` is what take_back() asks for. Either goes on when it is called again after a kill in between.
  fs::path set_aside(const std::string& owner, std::span<const fs::path> beside);
  bool take_back(const std::string& owner);     // false where nothing was set aside for it
  void remove_aside_but(const fs::path& kept);  // so that what waits stays bounded
  void remove_all();                            // also what was set aside

 private:
  fs::path folder_;
};

}  // namespace rgm
