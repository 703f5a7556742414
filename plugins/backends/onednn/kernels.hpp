// kernels.hpp - the kernels of the table, in its order.
#pragma once
#include "device.hpp"

namespace regimen::onednn {
rgm_status fill(rgm_queue* q, double value, const rgm_view* y);
rgm_status copy(rgm_queue* q, const rgm_view* x, const rgm_view* y);
rgm_status unary(rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* y);
rgm_status binary(rgm_queue* q, int32_t op, const rgm_view* a, const rgm_view* b, const rgm_view* y);
rgm_status select(rgm_queue* q, const rgm_view* c, const rgm_view* a, const rgm_view* b, const rgm_view* y);
rgm_status reduce(rgm_queue* q, int32_t op, uint32_t axes, const rgm_view* x, const rgm_view* y);
rgm_status matmul(rgm_queue* q, double alpha, const rgm_view* a, const rgm_view* b, double beta, const rgm_view* y);
rgm_status gather(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* index, const rgm_view* y);
rgm_status scatter_add(rgm_queue* q, int32_t axis, const rgm_view* index, const rgm_view* x, const rgm_view* y);
rgm_status random(rgm_queue* q, const rgm_view* key, int32_t distribution, const rgm_view* y);

rgm_status unary_grad(rgm_queue* q, int32_t op, const rgm_view* x, const rgm_view* dy, const rgm_view* dx);
rgm_status softmax(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y);
rgm_status softmax_grad(rgm_queue* q, int32_t axis, const rgm_view* y, const rgm_view* dy, const rgm_view* dx);
rgm_status cumsum(rgm_queue* q, int32_t axis, const rgm_view* x, const rgm_view* y);
rgm_status top_k(rgm_queue* q, const rgm_view* x, const rgm_view* y, const rgm_view* index);
rgm_status norm(rgm_queue* q, const rgm_norm* args);
rgm_status norm_grad(rgm_queue* q, const rgm_norm* args);
rgm_status rope(rgm_queue* q, const rgm_rope* args);
rgm_status attention(rgm_queue* q, const rgm_attention* args);
rgm_status attention_grad(rgm_queue* q, const rgm_attention* args);
rgm_status linear(rgm_queue* q, const rgm_linear* args);
rgm_status pack(rgm_queue* q, const rgm_view* weight, const rgm_view* scales, int32_t transposed, rgm_packed** out);
void unpack(rgm_packed* packed);
rgm_status head_loss(rgm_queue* q, const rgm_head_loss* args);
rgm_status adamw(rgm_queue* q, const rgm_view* hyper, uint32_t n, const rgm_adamw* const* items);
rgm_status sum_of_squares(rgm_queue* q, uint32_t n, const rgm_view* const* xs, const rgm_view* y);
rgm_status dequantize(rgm_queue* q, const rgm_dequantize* args);

// Inside other kernels: y = x, converted and laid out as y asks; both on this queue, with exceptions.
void convert(rgm_queue* q, const rgm_view& x, const rgm_view& y);
void multiply(rgm_queue* q, double alpha, const rgm_view& a, const rgm_view& b, double beta, const rgm_view& y);
// y (M, out) = x (M, in) w^T, of float32 x and a w of four bits, of which the first refuses what the second leaves out
void require_few_quantized(rgm_queue* q, const rgm_view& x, const rgm_view& codes, const rgm_view& scales,
                           const Matrix& y);
void multiply_quantized(rgm_queue* q, const rgm_view& x, const rgm_view& codes, const rgm_view& scales, float* y,
                        int64_t y_row);

}  // namespace regimen::onednn
