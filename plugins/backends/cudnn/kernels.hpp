// kernels.hpp - the kernels of the table, in its order.
#pragma once
#include "device.hpp"

namespace regimen::cudnn {
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
rgm_status linear_grad(rgm_queue* q, const rgm_linear_grad* args);
rgm_status sample(rgm_queue* q, const rgm_sample* args);
rgm_status dequantize(rgm_queue* q, const rgm_dequantize* args);
rgm_status head_loss(rgm_queue* q, const rgm_head_loss* args);
rgm_status adamw(rgm_queue* q, const rgm_view* hyper, uint32_t n, const rgm_adamw* const* items);
rgm_status sum_of_squares(rgm_queue* q, uint32_t n, const rgm_view* const* xs, const rgm_view* y);

inline void require_unary(int32_t op, const char* kernel) {
  if (op < RGM_NEG || op > RGM_GELU_ERF) unsupported(std::string(kernel) + ": operation " + std::to_string(op));
}

// y (C) = [y +] the sum of x (M, C)'s rows; `copied` (M, C), without gaps, or NULL: receives x in its own dtype.
void sum_of_rows(rgm_queue* q, const rgm_view& x, const rgm_view* copied, const rgm_view& y, bool adds);

// Which keys a query sees, as cuDNN is told of it. In scratch memory.
struct Mask {
  void* bias = nullptr;           // (batches, 1, Tq, line) BF16, added to the scores
  uint8_t* sees_none = nullptr;   // (batches, Tq) 1 where a query sees no key
  int64_t batches = 1, line = 0;  // 1: the same for all rows; line: Tk, rounded up
};
Mask attention_mask(rgm_queue* q, const rgm_attention& args);
void clear_unseeing(rgm_queue* q, const rgm_attention& args, const Mask& mask);  // behind the forward pass
float* lse_for_gradient(rgm_queue* q, const rgm_attention& args);                // infinity for queries that see no key

// By cuDNN's graphs, where they serve what is asked: bfloat16, no dropout, no soft-cap. False: nothing was done.
bool cudnn_attention(rgm_queue* q, const rgm_attention& args);
bool cudnn_attention_grad(rgm_queue* q, const rgm_attention& args);
}  // namespace regimen::cudnn
