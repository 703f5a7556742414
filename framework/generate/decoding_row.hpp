// decoding_row.hpp - one answer while it is decoded.
#pragma once
#include <cstdint>
#include <vector>

#include "generate/generate.hpp"

namespace rgm {

struct DecodingRow {
  int64_t index = 0, answer = 0;  // of all answers; of those to its prompt
  int32_t adapter = no_adapter;
  std::vector<int32_t> text;  // what the model has read or is about to read
  Generated out;
};

}  // namespace rgm
