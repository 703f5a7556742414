// composed.hpp - every optional kernel, composed from the required ones: for backends that lack it. Operations here are
// recorded like any others, so what has no rule of its own needs none.
#pragma once
#include "tensor/ops.hpp"

namespace rgm::composed {

Tensor unary_gradient(int32_t op, const Tensor& x, const Tensor& dy);
Tensor softmax(const Tensor& x, int32_t axis);
Tensor softmax_gradient(int32_t axis, const Tensor& y, const Tensor& dy);
Tensor cumsum(const Tensor& x, int32_t axis);
std::pair<Tensor, Tensor> top_k(const Tensor& x, int64_t k);
Tensor norm(const Tensor& x, const Tensor& w, const Tensor& b, double epsilon, bool centred);
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, int32_t activation, const Tensor& residual);
Tensor dequantize(const Tensor& codes, const Tensor& scales);
Tensor rope(const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin);
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const ops::AttentionOptions& options,
                 const Tensor& key);
Tensor sum_of_squares(std::span<const Tensor> xs);
void adamw(const Tensor& hyper, const ops::AdamWItem& item);

}  // namespace rgm::composed
