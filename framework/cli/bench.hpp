// bench.hpp - the halves of `regimen bench`: kernels against the reference here, stages in pipeline/bench.hpp.
#pragma once
#include <cstdint>
#include <string>

namespace rgm {

struct KernelBench {
  std::string backend;
  std::string only;  // kernels with this in their name; empty: all
  int cases = 24;    // at least so many for each kernel
  int64_t seed = 1;
};

// Prints a table; answers the exit status, 1 when a kernel is wrong.
int bench_kernels(const KernelBench& options);

}  // namespace rgm
