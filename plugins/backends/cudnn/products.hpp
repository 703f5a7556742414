// products.hpp - one product of matrices by cuBLASLt, prepared once a shape.
#pragma once
#include "device.hpp"

namespace regimen::cudnn {

struct Matrix {  // element (i, j) at i row + j column; batches `batch` apart
  void* data = nullptr;
  rgm_dtype dtype = RGM_F32;
  int64_t row = 0, column = 0, batch = 0;
};

// y (M, N) = alpha a (M, K) b (K, N) + beta c [+ bias (N)]. c is y or another matrix of y's dtype. Strides are such
// that one of row and column is 1 and the other at least the length of a line; y has column 1. float32 is multiplied
// in float32 and not in TF32.
struct Product {
  int64_t M = 0, N = 0, K = 0, batches = 1;
  Matrix a, b, c, y;
  float alpha = 1, beta = 0;
  const void* bias = nullptr;  // of y's dtype, aligned to 16
  bool gelu = false;           // y = gelu_tanh(all of the above), which `aux` gets unless it is NULL; needs a bias
  void* aux = nullptr;         // as y
  bool gelu_grad = false;      // y = all of the above times gelu_tanh'(aux)
};
void multiply(rgm_queue* q, const Product& product);
// False where cuBLASLt has nothing for it: nothing was done.
bool try_multiply(rgm_queue* q, const Product& product);

// A matrix that `multiply` takes: itself, or a copy in scratch memory.
Matrix operand(rgm_queue* q, const rgm_view& v, Scratch::Slot slot);
Matrix matrix_of(const rgm_view& v);
bool is_operand(const rgm_view& v);
// Rows without gaps, far enough apart.
bool has_rows(const rgm_view& v);

}  // namespace regimen::cudnn
