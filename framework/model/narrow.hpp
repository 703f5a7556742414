// narrow.hpp - which matrices a model keeps in bfloat16 or in four bits alone, because nothing trains them.
#pragma once
#include <functional>
#include <string>

#include "model/family.hpp"
#include "tensor/quantized.hpp"

namespace rgm {

// Elements. The memory that one so large was made in is given back at once, before the next is made.
inline constexpr int64_t large_weight = int64_t{16} << 20;

class NarrowWeights {
 public:
  enum class Form { float32, bfloat16, nf4 };
  using Frozen = std::function<bool(const std::string& name, const ModelConfig& config)>;
  NarrowWeights() = default;  // none
  // Those that `frozen` answers true for, by our names. Vectors and learned positions stay float32: they are small. Of
  // nf4, only the layers' matrices are in four bits, as embedding and head suffer most; these are bfloat16.
  explicit NarrowWeights(Frozen frozen, Form form = Form::bfloat16) : frozen_(std::move(frozen)), form_(form) {}
  // Those that are bfloat16 in their file, whose values stay what they are.
  static NarrowWeights as_saved() {
    NarrowWeights out = all();
    out.as_saved_ = true;
    return out;
  }
  static NarrowWeights all(Form form = Form::bfloat16) {
    return NarrowWeights([](const std::string&, const ModelConfig&) { return true; }, form);
  }
  bool any() const { return frozen_ != nullptr; }
  // `saved`: the type in the file; RGM_F32 for new weights.
  Form form(const ParameterSlot& slot, const ModelConfig& config, rgm_dtype saved = RGM_F32) const {
    if (!frozen_ || slot.shape.rank() != 2 || slot.ours == "positions.weight" || !frozen_(slot.ours, config) ||
        (as_saved_ && saved != RGM_BF16))
      return Form::float32;
    // A router is small, and decides.
    const bool in_four_bits = slot.ours.starts_with("layers.") && !slot.ours.ends_with(".router.weight");
    return form_ == Form::nf4 && in_four_bits && can_quantize(slot.shape) ? Form::nf4 : Form::bfloat16;
  }
  static rgm_dtype dtype(Form form) { return form == Form::bfloat16 ? RGM_BF16 : RGM_F32; }
  // What is of that dtype already, as it is kept.
  static Tensor kept(Tensor value, Form form) { return form == Form::nf4 ? quantized(value) : std::move(value); }

 private:
  Frozen frozen_;
  Form form_ = Form::bfloat16;
  bool as_saved_ = false;
};

}  // namespace rgm
