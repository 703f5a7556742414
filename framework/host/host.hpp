// host.hpp - the one table that plug-ins get: tensors, models and training behind C functions that throw nothing.
#pragma once
#include <regimen/abi.h>

namespace rgm {

const rgm_host* host_table();

}  // namespace rgm
