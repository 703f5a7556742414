// rows.hpp - rows of jsonl, json, csv, tsv and parquet files as JSON objects, each with the line it begins on.
#pragma once
#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "data/row.hpp"
#include "data/text_window.hpp"

namespace rgm {

// How the lines of a csv or tsv are read.
struct TableLines {
  bool numbered = false;  // the first one is a row too, and columns are called "0", "1" ...
  char separator = ',';   // of a csv
  TableLines(bool by_number, char between = ',') : numbered(by_number), separator(between) {}
};

// Calls row(values, where) in order; `where` is file:line, of parquet `file: row 17`. Values of csv and tsv are texts
// under the names in the first line; with `numbered` there is no such line.
// RGM_INVALID: file:line and what is wrong with it. Throws Interrupted before a row when one has come. After a row,
// `is_enough` (may be empty) says whether the rest of the file is left unread; behind the first row `wanted` (may be
// empty), which columns are needed of the others, where the format can leave some out: nothing means all.
using WantedNames = std::function<std::optional<std::vector<std::string>>()>;
using RowCall = std::function<void(Row& values, const std::string& where)>;
void each_row(const fs::path& file, std::string_view format, TableLines lines, const RowCall& row,
              const std::function<bool()>& is_enough = {}, const WantedNames& wanted = {});

// What a file's name says it is: jsonl, json, csv, tsv, these also in front of .gz or .zst, or parquet, in letters of
// either case; of other names, text.
std::string format_by_ending(const fs::path& file);

// What cannot be read of a row, only parquet has: RGM_INVALID with the reason where that is the value with this name.
void require_readable(const Row& row, const std::string& name, const std::string& where);
// The reasons, to end a message with; empty where all can be read.
std::string unreadable_columns(const Row& row);
// For who hands the row on.
void drop_unreadable(Row& row);

// One record of RFC 4180, which is dropped from the text: quoted fields may hold commas, doubled quotes and line
// breaks. Advances `line`; false at the end. Empty lines are passed over; a quote inside of an unquoted field stands
// for itself.
bool next_csv_record(TextWindow& text, size_t& line, const std::string& file, std::vector<std::string>& fields,
                     size_t& began_on, char separator = ',');

// To end a message about a missing column with: that the first line of a csv is parted by something other than commas,
// as far as a row shows it; else empty.
std::string other_separator(const Row& row);

}  // namespace rgm
