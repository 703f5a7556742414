// cases.hpp - the list of all kernels and what makes their cases. A new kernel is one function in a cases_*.cpp and
// one line in that file's list.
#pragma once
#include "trial.hpp"

namespace rgm::conformance {

struct Kernel {
  const char* name;
  bool required;
  int at_least;  // cases, so that every operation or feature has its turn
  void (*make)(Trial& t);
};
using Kernels = std::vector<Kernel>;

Kernels elementwise_cases();
Kernels reduction_cases();
Kernels product_cases();
Kernels index_cases();
Kernels random_cases();
Kernels norm_cases();
Kernels attention_cases();
Kernels head_cases();
Kernels optimizer_cases();
Kernels sample_cases();
Kernels quantized_cases();

}  // namespace rgm::conformance
