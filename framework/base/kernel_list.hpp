// kernel_list.hpp - the kernels of rgm_kernels in its order, for those who do the same with each of them. `unpack` is
// left out: it goes with `pack`, and has no status.
#pragma once
#include <regimen/abi/kernels.h>

// clang-format off
#define RGM_EACH_KERNEL(DO) \
  DO(fill) DO(copy) DO(unary) DO(binary) DO(select) DO(reduce) DO(matmul) DO(gather) DO(scatter_add) DO(random) \
  DO(unary_grad) DO(softmax) DO(softmax_grad) DO(cumsum) DO(top_k) DO(norm) DO(norm_grad) DO(rope) \
  DO(attention) DO(attention_grad) DO(linear) DO(pack) DO(head_loss) DO(adamw) DO(sum_of_squares) \
  DO(linear_grad) DO(sample) DO(dequantize)
// clang-format on
