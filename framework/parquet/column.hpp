// column.hpp - one column of a row group, entry by entry: a value or what is in its place, with its levels. One page of
// it is held, and its dictionary.
#pragma once
#include <optional>

#include "parquet/budget.hpp"
#include "parquet/codecs.hpp"
#include "parquet/hybrid.hpp"
#include "parquet/schema.hpp"
#include "parquet/values.hpp"

namespace rgm::parquet {

class Column {
 public:
  // The file's bytes, the leaf and the budget outlive it. Errors are as those of Values.
  Column(std::string_view file, const ColumnChunk& chunk, const Node& leaf, Budget& budget);

  // The levels of the entry here; at the end, where nothing is, both are 0.
  int defined() const { return defined_; }
  int repeated() const { return repeated_; }
  bool is_at_end() const { return is_at_end_; }
  // Goes on behind the entry here. A value is there where defined() is as high as it gets, and taken before.
  Value value();
  void pass();

 private:
  void next_page();
  void open_dictionary(const PageHeader& head, std::string_view body);
  void open_page(const PageHeader& head, std::string_view body);
  void open_page_v2(const PageHeader& head, std::string_view body);

  std::string_view file_;
  const ColumnChunk& chunk_;
  const Node& leaf_;
  Share of_page_, of_dictionary_;
  size_t at_;                   // of the next page
  int64_t left_, in_page_ = 0;  // entries of the column that are in no page yet, and of the page
  Bytes page_, dictionary_page_;
  std::optional<Dictionary> dictionary_;
  Hybrid definitions_, repetitions_;
  std::string_view inside_;  // the page's values
  Encoding encoding_ = Encoding::plain;
  int64_t count_ = 0;
  std::unique_ptr<Values> values_;  // once one of them is asked for
  int defined_ = 0, repeated_ = 0;
  bool is_at_end_ = false;
};

}  // namespace rgm::parquet
