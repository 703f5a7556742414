// kernel_slots.hpp - the kernels of the table by name, in its order.
#pragma once
#include <regimen/abi.h>

#include <cstddef>
#include <cstring>

#include "base/kernel_list.hpp"

namespace rgm {

struct KernelSlot {
  const char* name;
  size_t offset;  // in rgm_kernels
};

inline constexpr KernelSlot kernel_slots[] = {
#define RGM_SLOT(kernel) {#kernel, offsetof(rgm_kernels, kernel)},
    RGM_EACH_KERNEL(RGM_SLOT)
#undef RGM_SLOT
};
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
