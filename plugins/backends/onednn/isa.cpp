// isa.cpp - which vector kernels this machine runs: the widest that the processor, the operating system and
// ONEDNN_MAX_CPU_ISA allow.
#include "compat.hpp"
#include "vector/table.hpp"

namespace regimen::onednn {
namespace baseline {
extern const VectorKernels table;
}
#if defined __x86_64__
#ifndef REGIMEN_SANITIZED  // which leaves it out, as it sees the same in the other two
namespace avx2 {
extern const VectorKernels table;
}
#endif
namespace avx512 {
extern const VectorKernels table;
}
#endif

const VectorKernels& vector_kernels() {
#if defined __x86_64__
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v4 && library_has(dnnl_cpu_isa_avx512_core)) return avx512::table;
#ifndef REGIMEN_SANITIZED
  if (v3 && library_has(dnnl_cpu_isa_avx2)) return avx2::table;
#endif
#endif
  return baseline::table;
}

}  // namespace regimen::onednn
