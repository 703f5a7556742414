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
  static NarrowWeights all() {
    return NarrowWeights([](const std::string&, const ModelConfig&) { return true; });
  }
  bool any() const { return frozen_ != nullptr; }
  bool take(const ParameterSlot& slot, const ModelConfig& config) const {
    return frozen_ && slot.shape.rank() == 2 && slot.ours != "positions.weight" && frozen_(slot.ours, config);
  }
  rgm_dtype dtype(const ParameterSlot& slot, const ModelConfig& config) const {
    return take(slot, config) ? RGM_BF16 : RGM_F32;
  }

 private:
  Frozen frozen_;
};

}  // namespace rgm
