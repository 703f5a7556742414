// row_texts.hpp - the texts of rows that a tokenizer learns from, before there is one.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/row.hpp"
#include "data/source.hpp"
#include "text/chat.hpp"

namespace rgm {

class RowTexts {
 public:
  // `wishes` as in each_text.
  RowTexts(const DataSpec& spec, const std::vector<ColumnWish>& wishes);
  // Each on a line of its own: of the columns that are read as tokens, mapped or recognised by the first row, with
  // their prompts; where there is none of these, every text in the row. RGM_INVALID beginning with `where`.
  std::string of(const Row& row, const std::string& where);

 private:
  struct Column {
    ColumnMap map;
    std::optional<ChatTemplate> chat = std::nullopt;
  };
  void look_at(const Row& first);

  const DataSpec& spec_;
  std::vector<std::string> names_;  // of the columns that hold tokens
  std::vector<Column> columns_;
  bool has_seen_ = false;
};

}  // namespace rgm
