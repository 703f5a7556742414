// wishes.hpp - columns that most tests of data read.
#pragma once
#include "data/source.hpp"

namespace rgm {

inline const ColumnWish text{"text", RGM_TOKENS_COLUMN, 0}, label{"label", RGM_INTEGER_COLUMN, 0};

}  // namespace rgm
