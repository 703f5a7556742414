// table.cpp - the table of the instruction set that this file is compiled for.
#include "kernels.hpp"
#include "product.hpp"

namespace regimen::onednn::ONEDNN_ISA {

#define ONEDNN_TEXT_OF(x) #x
#define ONEDNN_TEXT(x) ONEDNN_TEXT_OF(x)

extern const VectorKernels table;
const VectorKernels table{ONEDNN_TEXT(ONEDNN_ISA),
                          unary,
                          unary_grad,
                          binary,
                          sum,
                          maximum,
                          logsumexp,
                          squares,
                          softmax,
                          softmax_grad,
                          norm,
                          norm_grad,
                          rope,
                          epilogue,
                          head,
                          adamw,
                          adamw_narrow,
                          random,
                          product,
                          few_rows,
                          kPanel,
                          panels,
                          turn,
                          fill_panel,
                          widen,
                          weighted_rows,
                          dot_rows,
                          kFourBits,
                          four_bit_order,
                          four_bit_product,
                          attention_scratch,
                          attention,
                          attention_grad};

}  // namespace regimen::onednn::ONEDNN_ISA
