// narrow.cpp - the same weights kept in another form: a frozen copy, matrices in bfloat16 or four bits, and passes in
// bfloat16.
#include "model/narrow.hpp"

#include "model/model.hpp"
#include "tensor/quantized.hpp"
#include "tensor/tape.hpp"

namespace rgm {

std::shared_ptr<Model> Model::frozen_copy(bool exact) const {
  const NoGradient no_gradient;
  if (packed_) throw Error(RGM_INTERNAL, "a packed model has no copy");
  std::shared_ptr<Model> out(new Model(config_, tokenizer_));
  const auto copied = [](const Tensor& x, rgm_dtype dtype) {
    if (is_quantized(x)) return x;  // nobody writes there
    Tensor y = empty_like(x.view(), dtype);
    assign(y, x);
    return y;
  };
  const NarrowWeights narrow = narrow_ ? NarrowWeights::all() : NarrowWeights();
  for (const ParameterSlot& slot : parameter_slots(config_)) {
    const Parameter* const p = parameters_.find(slot.ours);
    if (!p) continue;
    const rgm_dtype dtype = exact ? p->value.dtype() : NarrowWeights::dtype(narrow.form(slot, config_));
    const bool shares = exact && !p->trained && !p->buffer;
    Parameter& own = out->parameters_.add(p->name, shares ? p->value : copied(p->value, dtype), false, p->buffer);
    if (shares) own.half = p->half;
  }
  for (const Parameter& p : extra_.all()) out->extra_.add(p.name, copied(p.value, p.value.dtype()), false, p.buffer);
  out->narrow_ = narrow_;
  out->saved_extra_ = saved_extra_;
  out->notes_ = notes_;
  out->make_layers();
  if (dtype_ == RGM_BF16) out->use_bfloat16();
  return out;
}

// One after the other, so that no second model is held meanwhile.
void Model::narrow(const NarrowWeights& narrow) {
  if (hooks_ || packed_ || dtype_ != RGM_F32) throw Error(RGM_INTERNAL, "a model at work is not rounded");
  const NoGradient no_gradient;
  sites_.clear(), layers_.clear();  // which see the wide ones
  for (const ParameterSlot& slot : parameter_slots(config_)) {
    Parameter* const p = parameters_.find(slot.ours);
    const NarrowWeights::Form form = narrow.form(slot, config_);
    if (!p || form == NarrowWeights::Form::float32) continue;
    parameters_.set_trained(*p, false);
    if (form == NarrowWeights::Form::nf4) {
      p->value = quantized(p->value);
    } else {
      Tensor rounded = empty_like(p->value.view(), RGM_BF16);
      assign(rounded, p->value);
      p->value = std::move(rounded);
    }
    if (slot.shape.count() > large_weight) current_device().trim();  // the wide one would lie idle
  }
  narrow_ = narrow.any();
  make_layers();
}

// Tables that are only looked up need no copy: rows of the float32 ones are read. Routers stay float32.
void Model::use_bfloat16() {
  dtype_ = RGM_BF16;
  for (Parameter& p : parameters_.all()) {
    const bool looked_up = p.name == "positions.weight" || (p.name == "embedding.weight" && !config_.is_tied());
    if (p.value.rank() == 2 && !looked_up && !p.name.ends_with(".router.weight")) p.make_half();
  }
}

}  // namespace rgm
