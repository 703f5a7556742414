// packed.hpp - a frozen weight in the backend's own layout, for models that are only read.
#pragma once
#include <memory>

#include "tensor/tensor.hpp"

namespace rgm {

struct PackedWeight {
  PackedWeight(std::shared_ptr<Device> on, rgm_packed* in_their_layout, Shape of);
  ~PackedWeight();
  PackedWeight(const PackedWeight&) = delete;
  PackedWeight& operator=(const PackedWeight&) = delete;

  const std::shared_ptr<Device> device;
  rgm_packed* const weight;
  const Shape shape;  // (out, in)
};

// A tensor of w's shape (out, in) and dtype that ops::linear reads sooner than w, and nobody else may read: to them it
// is NaN. Its values lie nowhere else once w is gone. w itself where the backend has no faster layout for it.
Tensor packed(const Tensor& w);
// NULL where w is an ordinary tensor. RGM_INTERNAL for a part of a packed one.
const rgm_packed* packed_form(const Tensor& w);

}  // namespace rgm
