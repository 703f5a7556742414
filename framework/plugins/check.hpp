// check.hpp - is the constant that a plug-in exports well-formed? Asked before any of its functions is called.
#pragma once
#include <regimen/abi.h>

#include <string_view>

namespace rgm {

// backend, adapter, strategy, reward; "component" for a kind that this host does not know.
std::string_view kind_name(int kind);
// 0 when there is no such kind.
int kind_of(std::string_view name);

// Throws RGM_INVALID saying which table, field or option is wrong and what it should be. `file` begins the message.
// `host_minor` is what this host implements of ABI 1.
void check_plugin(const rgm_plugin& plugin, std::string_view file, uint32_t host_minor);

}  // namespace rgm
