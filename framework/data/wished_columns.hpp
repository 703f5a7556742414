// wished_columns.hpp - the columns that a component reads, each with where the files have it.
#pragma once
#include <string>
#include <vector>

#include "data/source.hpp"
#include "data/stored_column.hpp"

namespace rgm {

struct WishedColumns {
  std::vector<StoredColumn> columns;
  bool takes_all = false;  // and what else the first row has
  std::string mapping;     // what was said of them, for a hash
};
// RGM_INVALID: the spec maps a column that nothing reads; labels without a head; tokens without a tokenizer.
WishedColumns wished_columns(const DataSpec& spec, const std::vector<ColumnWish>& wishes, const Tokenizer* tokenizer,
                             const SourceOptions& options);

}  // namespace rgm
