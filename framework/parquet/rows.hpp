// rows.hpp - the rows of a Parquet file as objects of JSON, one after the other. Of each column one page is held, and
// its dictionary.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"

namespace rgm::parquet {

using Row = nlohmann::ordered_json;

// Calls row(values, where) in order, as long as it answers true; `where` is `file: row 17`. RGM_INVALID: not a Parquet
// file, cut off, or damaged. A column that cannot be read, or that no row of JSON can hold, is unreadable() in its
// rows, as nobody may want it. Behind the first row `wanted` (may be empty) is asked once for the columns that are
// read from there on, or answers nothing for all: others are neither unpacked nor in the rows.
//
// One page of each column that is wanted and their dictionaries take at most 256 MB and 256 times the file's size, a
// row 64 MB and as much (budget.hpp): a column of more is unreadable. Of more rows than a million and 256 for each of
// its bytes, a file has none.
using WantedColumns = std::function<std::optional<std::vector<std::string>>()>;
void each_row(const fs::path& file, const std::function<bool(Row& values, const std::string& where)>& row,
              const WantedColumns& wanted = {});

// Of a file that is to be read later: whether it is one, by what its end says.
void look_at(const fs::path& file);

// A value that says why there is none; only what comes from Parquet has such, as JSON has no bytes.
Row unreadable(std::string_view why);
bool is_unreadable(const Row& value);
std::string why_unreadable(const Row& value);

}  // namespace rgm::parquet
