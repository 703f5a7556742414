// file_error.hpp - what std::filesystem says, as this program says it: the path, the reason, the next step.
#pragma once
#include "base/error.hpp"
#include "base/file.hpp"

namespace rgm {

// RGM_INVALID where the user can mend it, as a name that is too long; RGM_INTERNAL for a full disk and the like.
Error as_error(const fs::filesystem_error& e);

}  // namespace rgm
