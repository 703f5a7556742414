// kernel_slots.hpp - the kernels of the table by name, in its order.
#pragma once
#include <regimen/abi.h>

#include <cstddef>
#include <cstring>

namespace rgm {

struct KernelSlot {
  const char* name;
  size_t offset;  // in rgm_kernels
};

#define RGM_SLOT(name) \
  { #name, offsetof(rgm_kernels, name) }
inline constexpr KernelSlot kernel_slots[] = {
    RGM_SLOT(fill),        RGM_SLOT(copy),      RGM_SLOT(unary),        RGM_SLOT(binary),      RGM_SLOT(select),
    RGM_SLOT(reduce),      RGM_SLOT(matmul),    RGM_SLOT(gather),       RGM_SLOT(scatter_add), RGM_SLOT(random),
    RGM_SLOT(unary_grad),  RGM_SLOT(softmax),   RGM_SLOT(softmax_grad), RGM_SLOT(cumsum),      RGM_SLOT(top_k),
    RGM_SLOT(norm),        RGM_SLOT(norm_grad), RGM_SLOT(rope),         RGM_SLOT(attention),   RGM_SLOT(attention_grad),
    RGM_SLOT(linear),      RGM_SLOT(pack),      RGM_SLOT(head_loss),    RGM_SLOT(adamw),       RGM_SLOT(sum_of_squares),
    RGM_SLOT(linear_grad), RGM_SLOT(sample)};
#undef RGM_SLOT
// All of them but `unpack`, which goes with `pack`.
static_assert(sizeof(kernel_slots) / sizeof(KernelSlot) ==
              (sizeof(rgm_kernels) - offsetof(rgm_kernels, fill)) / sizeof(void*) - 1);

// False: the host composes it from others.
inline bool offers(const rgm_kernels& kernels, const KernelSlot& slot) {
  if (slot.offset + sizeof(void*) > kernels.struct_size) return false;
  const void* function = nullptr;
  std::memcpy(&function, reinterpret_cast<const char*>(&kernels) + slot.offset, sizeof function);
  return function != nullptr;
}

}  // namespace rgm
