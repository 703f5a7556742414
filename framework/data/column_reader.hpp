// column_reader.hpp - rows of files into columns. A row whose fields are lists, such as one prompt with four answers,
// is as many examples.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/source.hpp"
#include "data/wished_columns.hpp"

namespace rgm {

struct ReadRows {
  std::vector<int32_t> rows;  // of every example: the row it came from
  bool have_lists = false;
  std::string recognised;  // what the first row shows the columns to be, for a hash
};
// Fills the columns with every example of the files. RGM_INVALID: file:line and what is wrong with it.
ReadRows read_rows(const DataSpec& spec, WishedColumns& wished, const Tokenizer* tokenizer,
                   const SourceOptions& options);

}  // namespace rgm
