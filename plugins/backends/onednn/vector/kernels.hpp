// kernels.hpp - the functions of one instruction set's table, declared for the files that define them.
#pragma once
#include "simd.hpp"
#include "table.hpp"

namespace regimen::onednn::ONEDNN_ISA {

void unary(int32_t op, const float* x, float* y, int64_t n);
void unary_grad(int32_t op, const float* x, const float* dy, float* dx, int64_t n);
void binary(int32_t op, const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n);
float sum(const float* x, int64_t n);
float maximum(const float* x, int64_t n);
float logsumexp(const float* x, int64_t n);
double squares(const float* x, int64_t n);
void softmax(const float* x, float* y, int64_t n);
void softmax_grad(const float* y, const float* dy, float* dx, int64_t n);
void norm(const NormRows& rows);
void norm_grad(const NormRows& rows);
void rope(const float* x, const float* cos, const float* sin, float* y, int64_t half);
void epilogue(const EpilogueRow& row);
HeadResult head(const HeadRow& row);
void adamw(const AdamW& h, const float* g, float* p, float* m, float* v, int64_t n);
void adamw_narrow(const AdamW& h, const float* g, float* p, uint16_t* m, uint16_t* v, uint32_t draw, int64_t n);
void random(const int32_t* key, int32_t distribution, int64_t first, void* y, int64_t n);
void product(const Product& product);
void few_rows(const FewRows& product);
void panels(const FewRows& product);
void turn(const float* x, int64_t x_row, int64_t rows, int64_t columns, float* y, int64_t y_row);
void fill_panel(const void* w, int64_t w_row, int64_t rows, int64_t columns, bool narrow, void* y);
void widen(const uint16_t* x, float* y, int64_t n);
void weighted_rows(const float* weights, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y);
void dot_rows(const float* a, const float* x, int64_t x_row, int64_t rows, int64_t n, float* y);
inline constexpr int64_t kFourBits = 8 * kLanes;  // elements whose codes are a vector
void four_bit_order(const float* x, int64_t n, float* y);
void four_bit_product(const FourBits& w, int64_t M, const float* a, int64_t a_row, float* c, int64_t c_row);
int64_t attention_scratch(const Attention& job, bool grad);
void attention(const Attention& job, int64_t b, int64_t h, int64_t tile, float* scratch);
void attention_grad(const Attention& job, int64_t b, int64_t kv, float* scratch);

}  // namespace regimen::onednn::ONEDNN_ISA
