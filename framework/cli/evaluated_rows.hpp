// evaluated_rows.hpp - the rows of a file, each with what a model says about it: what `evaluate --rows` writes.
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "data/row.hpp"

namespace rgm::cli {

class EvaluatedRows {
 public:
  // An empty `out`: nobody asked for them, and nothing is kept. RGM_INVALID, before anything is computed, if no file
  // can be written there, or if it is `data` itself.
  EvaluatedRows(fs::path out, const fs::path& data);
  bool are_wanted() const { return !out_.empty(); }
  void add(const Row& row);  // the next one of the file
  void say(size_t row, Row columns);
  // One line of JSON per row: its own columns as they were, then the model's, which make way if a name is taken.
  void write() const;

 private:
  std::string front_of_names() const;
  fs::path out_, data_;
  std::vector<Row> rows_, said_;
};

}  // namespace rgm::cli
