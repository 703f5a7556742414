// named_kernels.hpp - a backend's kernels so that what is thrown out of one, or crashes in it, names the backend.
#pragma once
#include <regimen/abi/kernels.h>

namespace rgm {

// A table of the current device's own kernels, each called in its name. What `own` lacks stays NULL.
rgm_kernels named_kernels(const rgm_kernels& own);

}  // namespace rgm
