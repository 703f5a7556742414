// products.hpp - large products of plain row-major matrices, by the fastest of five ways for their shape: oneDNN's
// sgemm, oneDNN's matmul primitive (prepared once a shape), and our own products for small ones, for a single row, and
// for a few rows.
#pragma once
#include "device.hpp"

namespace regimen::onednn {
struct Operands {  // c (M, N) = alpha op(a) op(b) + beta c; op transposes where asked; beta is 0 or 1
  int64_t M, N, K;
  const void* a;
  int64_t lda;
  bool ta;
  const void* b;
  int64_t ldb;
  bool tb;
  float* c;
  int64_t ldc;
  float alpha = 1, beta = 0;
  bool bf16 = false;    // a and b
  bool narrow = false;  // b alone is bfloat16
};

void gemm(rgm_queue* q, const Operands& g);        // on all threads; never from within a team
void gemm_alone(rgm_queue* q, const Operands& g);  // in the calling thread, also beside others
bool gemm_takes_bf16();                            // else it would be slower than converting to float32

}  // namespace regimen::onednn
