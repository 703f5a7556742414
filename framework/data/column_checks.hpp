// column_checks.hpp - what people are told of the texts that were read: cut, without a token to learn, begun twice.
#pragma once
#include <cstdint>
#include <vector>

#include "data/source.hpp"
#include "data/stored_column.hpp"

namespace rgm {

// Of `read` examples the spec keeps `kept`. RGM_INVALID where none of them has a token to learn.
void check_columns(const DataSpec& spec, const std::vector<StoredColumn>& columns, int64_t read,
                   const std::vector<int64_t>& kept, const SourceOptions& options);

}  // namespace rgm
