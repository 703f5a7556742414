// kernels.hpp - every kernel of the reference, in the order of the table in kernels.h, where they are specified.
// They run at once on the calling thread, so the queue is never looked at.
#pragma once
#include <regimen/backend.hpp>

namespace regimen::reference {

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
rgm_status linear_grad(rgm_queue* q, const rgm_linear_grad* args);
rgm_status sample(rgm_queue* q, const rgm_sample* args);
rgm_status dequantize(rgm_queue* q, const rgm_dequantize* args);

void make_values(const rgm_dequantize& args);  // inside other kernels: dequantize, with exceptions

}  // namespace regimen::reference
