// outgoing.hpp - tensors on their way from the device into a file, a few megabytes of host memory at a time.
#pragma once
#include "artefact/safetensors.hpp"
#include "tensor/tensor.hpp"

namespace rgm {

// In the type that it has. Holds the tensor; its values are read when its turn comes.
OutgoingTensor outgoing(std::string name, const Tensor& x);

}  // namespace rgm
