// attention.hpp - the fused kernels of attention, and when they cannot be used.
#pragma once
#include <optional>

#include "tensor/ops.hpp"

namespace rgm {

// dq, dk, dv by the kernel attention_grad; nothing where the backend does not offer it for these arguments.
std::optional<std::array<Tensor, 3>> attention_gradients(const Tensor& q, const Tensor& k, const Tensor& v,
                                                         const Tensor& y, const Tensor& lse, const Tensor& key,
                                                         const Tensor& dy, const ops::AttentionOptions& options);

}  // namespace rgm
