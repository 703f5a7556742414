// minimal_host.hpp - a host table with failures, messages and options only: enough to list plug-ins with.
#pragma once
#include <regimen/abi.h>

namespace rgm {

const rgm_host& minimal_host();

}  // namespace rgm
