// quantized.hpp - a frozen weight in four bits an element (NF4; Dettmers et al., arXiv 2305.14314) instead of 32: what
// reads it makes the float32 or bfloat16 values for the moment, except a product that reads the codes themselves. Each
// 64 neighbours of a row share a scale, the largest of their magnitudes, so that a matrix takes 4.5 bits an element.
#pragma once
#include "tensor/tensor.hpp"

namespace rgm {

struct QuantizedWeight {
  Tensor codes, scales;  // (out, in / 2) uint8 and (out, in / 64) float32, as the kernel `dequantize` reads them
  Shape shape;           // (out, in)
};

bool can_quantize(const Shape& shape);  // a matrix whose rows are whole blocks
// A tensor of w's shape, float32 to those who ask, whose values are the nearest of the sixteen levels of each block.
// Operations of the model and of plug-ins read it as any other; a view of a part has to be quantized_rows(). Nobody can
// write to it, and no gradient goes to it, only through it.
Tensor quantized(const Tensor& w);
bool is_quantized(const Tensor& w);
// NULL for any other tensor. RGM_INTERNAL for a part of a quantized one that is not quantized_rows().
const QuantizedWeight* quantized_form(const Tensor& w);
Tensor quantized_rows(const Tensor& w, int64_t begin, int64_t end);  // of a quantized one: the same memory
// Its values, in float32 or bfloat16; any other tensor as it is.
Tensor readable(const Tensor& w, rgm_dtype dtype = RGM_F32);
uint64_t held_bytes(const Tensor& t);  // of any tensor: what its elements take on the device

}  // namespace rgm
