// outgoing.hpp - tensors on their way from the device into a file, a few megabytes of host memory at a time.
#pragma once
#include "artefact/safetensors.hpp"
#include "tensor/tensor.hpp"

namespace rgm {

// Written as float32, or as int32 where it is of integers; bfloat16 without gaps stays that. Holds the tensor; its
// values are read when its turn comes.
OutgoingTensor outgoing(std::string name, const Tensor& x);

}  // namespace rgm
