// in_place.hpp - weights that are written where they lie, a piece at a time, so that a captured step reads the new ones
// and a large matrix needs no second one beside it.
#pragma once
#include "tensor/tensor.hpp"

namespace rgm {

// own <- rate target + (1 - rate) own. What is equal stays equal to the bit.
void move_towards(const Tensor& own, const Tensor& target, double rate);
// Each gets the other's values, to the bit.
void exchange(const Tensor& one, const Tensor& other);

}  // namespace rgm
