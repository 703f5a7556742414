// narrow.hpp - which matrices a model keeps in bfloat16 alone, because nothing trains them.
#pragma once
#include <functional>
#include <string>

#include "model/family.hpp"
#include "tensor/tensor.hpp"

namespace rgm {

class NarrowWeights {
 public:
  using Frozen = std::function<bool(const std::string& name, const ModelConfig& config)>;
  NarrowWeights() = default;  // none
  // Those that `frozen` answers true for, by our names. Vectors and learned positions stay float32: they are small.
  explicit NarrowWeights(Frozen frozen) : frozen_(std::move(frozen)) {}
  // Those that are bfloat16 in their file, whose values stay what they are.
  static NarrowWeights as_saved() {
    NarrowWeights out = all();
    out.as_saved_ = true;
    return out;
  }
  static NarrowWeights all() {
    return NarrowWeights([](const std::string&, const ModelConfig&) { return true; });
  }
  bool any() const { return frozen_ != nullptr; }
  // `saved`: the type in the file; RGM_F32 for new weights.
  bool take(const ParameterSlot& slot, const ModelConfig& config, rgm_dtype saved = RGM_F32) const {
    return frozen_ && slot.shape.rank() == 2 && slot.ours != "positions.weight" && frozen_(slot.ours, config) &&
           (!as_saved_ || saved == RGM_BF16);
  }
  rgm_dtype dtype(const ParameterSlot& slot, const ModelConfig& config, rgm_dtype saved = RGM_F32) const {
    return take(slot, config, saved) ? RGM_BF16 : RGM_F32;
  }

 private:
  Frozen frozen_;
  bool as_saved_ = false;
};

}  // namespace rgm
