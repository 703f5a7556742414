// table.hpp - the vector kernels as a table of functions, one table an instruction set. All run on the calling thread
// and take plain pointers; what spreads them over threads and understands views is in the folder above.
#pragma once
#include <stdint.h>

namespace regimen::onednn {
struct Product {  // c (M, N) [+]= alpha a (M, K) b (K, N); rows of b and c have no gaps
  int64_t M, N, K;
  const float* a;
  int64_t a_row, a_column;
  const float* b;
  int64_t b_row;
  float* c;
  int64_t c_row;
  float alpha;
  bool add;
};

// c (M, N) = a (M, K) b, float32 or, narrow, with b in bfloat16. b is (K, N), and a_row 1; or, transposed, b is (N, K),
// and a_column 1.
struct FewRows {
  int64_t M, N, K;
  const float* a;
  int64_t a_row, a_column;
  const void* b;
  int64_t b_row;
  bool transposed, narrow;
  float* c;
  int64_t c_row;
};

struct FourBits {  // rows of a matrix of four bits an element, see rgm_dequantize; its scales have no gaps in a row
  int64_t rows, in;
  const uint8_t* codes;
  int64_t codes_row;
  const float* scales;
  int64_t scales_row;
};

struct NormRows {  // see rgm_norm; NULL where a feature is off; strides in elements
  int64_t rows, C;
  float epsilon;
  bool centred, adds;  // adds: to dx
  float* x;
  int64_t x_stride;
  const float* residual;
  int64_t residual_stride;
  const float *w, *b;
  float* y;
  int64_t y_stride;
  float *mean, *rstd;  // one a row
  const float* dy;
  int64_t dy_stride;
  float* dx;
  int64_t dx_stride;
  float *dw, *db;  // added to
};

struct EpilogueRow {  // y = [y +] activation(sum + bias) + residual, aux = sum + bias; activation 0: none
  int64_t n;
  int32_t activation;
  bool add;
  const float *sum, *bias, *residual;
  float *aux, *y;
};

struct HeadRow {  // logits (V) become the gradient of -weight logprob when `grad`
  int64_t V;
  float* logits;
  float scale, softcap, weight;
  int64_t target;
  bool grad, entropy;
};
struct HeadResult {
  float logprob, entropy;
};

struct AdamW {
  float rate, beta1, beta2, epsilon, decay, correction1, correction2, factor;
};

struct Heads {  // (B, T, H, D) in any layout whose last axis has no gaps
  float* data;
  int64_t b, t, h;  // strides
};
struct Attention {  // see rgm_attention; feature pointers NULL where off
  int64_t B, Tq, Tk, H, Hkv, D, Dv;
  float scale, softcap;  // softcap 0: none
  bool causal;
  int64_t window;  // INT64_MAX: none
  int64_t prefix;
  const int32_t* key;  // of dropout; NULL: none
  float dropout;
  Heads q, k, v, y, dy, dq, dk, dv;
  float* lse;
  int64_t lse_b, lse_h, lse_t;
  const int32_t *q_segments, *k_segments, *lengths;
  int64_t q_segments_b, q_segments_t, k_segments_b, k_segments_t, lengths_b;
};
inline constexpr int64_t kChain = 512;  // rows whose sum is one chain of float32: longer ones lose digits
inline constexpr int64_t kTile = 64;    // queries, and keys, that attention works on at once

struct VectorKernels {
  const char* name;
  void (*unary)(int32_t op, const float* x, float* y, int64_t n);
  void (*unary_grad)(int32_t op, const float* x, const float* dy, float* dx, int64_t n);
  void (*binary)(int32_t op, const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n);
  float (*sum)(const float* x, int64_t n);
  float (*maximum)(const float* x, int64_t n);
  float (*logsumexp)(const float* x, int64_t n);
  double (*squares)(const float* x, int64_t n);
  void (*softmax)(const float* x, float* y, int64_t n);
  void (*softmax_grad)(const float* y, const float* dy, float* dx, int64_t n);
  void (*norm)(const NormRows& rows);
  void (*norm_grad)(const NormRows& rows);
  void (*rope)(const float* x, const float* cos, const float* sin, float* y, int64_t half);
  void (*epilogue)(const EpilogueRow& row);
  HeadResult (*head)(const HeadRow& row);
  void (*adamw)(const AdamW& h, const float* g, float* p, float* m, float* v, int64_t n);
  // with moments in bfloat16; draw: of the first element
  void (*adamw_narrow)(const AdamW& h, const float* g, float* p, uint16_t* m, uint16_t* v, uint32_t draw, int64_t n);
  // numbers [first, first + n) of the stream that key (6 words) starts; n may end anywhere
  void (*random)(const int32_t* key, int32_t distribution, int64_t first, void* y, int64_t n);
  void (*product)(const Product& product);
  void (*few_rows)(const FewRows& product);
  int64_t panel;  // columns of a panel: b (K, N) packed is its panels (K, panel), of which the last may have gaps
  void (*panels)(const FewRows& product);  // with a b that is packed, and a_row 1
  // y (columns, rows) = x (rows, columns); what follows a row of y, up to a multiple of 16, is written as well
  void (*turn)(const float* x, int64_t x_row, int64_t rows, int64_t columns, float* y, int64_t y_row);
  // y becomes the panel whose columns are the rows of w, at most `panel` of them
  void (*fill_panel)(const void* w, int64_t w_row, int64_t rows, int64_t columns, bool narrow, void* y);
  void (*widen)(const uint16_t* x, float* y, int64_t n);  // bfloat16 to float32
  // y (n) += sum of weights[r] x[r] over rows (rows, n); weights NULL: 1. The first kChain rows are added to y one by
  // one: a y that holds the sum of many rows loses digits there
  void (*weighted_rows)(const float* weights, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y);
  // y[r] = a (n) . x[r] for rows (rows, n)
  void (*dot_rows)(const float* a, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y);
  // Rows of four bits are read in an order of their own, and so is what is multiplied by them: y, as long as x (n) but
  // rounded up to a multiple of four_bits, has zeros in the gaps.
  int64_t four_bits;
  void (*four_bit_order)(const float* x, int64_t n, float* y);
  // c (M, rows) = a (M, in) w^T, with rows of a in that order
  void (*four_bit_product)(const FourBits& w, int64_t M, const float* a, int64_t a_row, float* c, int64_t c_row);
  int64_t (*attention_scratch)(const Attention& job, bool grad);  // floats
  void (*attention)(const Attention& job, int64_t b, int64_t h, int64_t tile, float* scratch);
  void (*attention_grad)(const Attention& job, int64_t b, int64_t kv, float* scratch);  // one head of k and v
};

const VectorKernels& vector_kernels();  // for this machine, no more than ONEDNN_MAX_CPU_ISA allows

}  // namespace regimen::onednn
