// source.cpp - the source that fits a data entry, and the text that a tokenizer is trained on.
#include "data/source.hpp"

#include <algorithm>

#include "data/row_texts.hpp"
#include "data/rows.hpp"
#include "data/text_pieces.hpp"

namespace rgm {

bool columns_by_number(const DataSpec& spec) {
  const auto is_number = [](const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  };
  return !spec.columns.empty() && std::ranges::all_of(spec.columns, [&](const ColumnMap& map) {
    return is_number(map.from) && is_number(map.prompt.value_or("0"));
  });
}

std::unique_ptr<Source> open_source(const DataSpec& spec, const std::vector<ColumnWish>& wishes,
                                    std::shared_ptr<const Tokenizer> tokenizer, const SourceOptions& options) {
  if (spec.format != "text") return open_columns(spec, wishes, std::move(tokenizer), options);
  const ColumnWish* tokens = nullptr;
  for (const ColumnWish& wish : wishes) {
    if (!tokens && wish.kind == RGM_TOKENS_COLUMN) {
      tokens = &wish;
      continue;
    }
    require(wish.flags & RGM_OPTIONAL, "data: a text has no column \"{}\"; use jsonl, json, csv or tsv", wish.name);
  }
  require(tokens != nullptr, "data: a text gives tokens, which nobody reads here; use jsonl, json, csv or tsv");
  return open_text(spec, *tokens, tokenizer, options);
}

void each_text(const DataSpec& spec, const Tokenizer* cut, const std::function<void(std::string_view)>& see,
               const std::vector<ColumnWish>& wishes) {
  require(!spec.files.empty(), "data: no files were found");
  RowTexts texts(spec, wishes);
  for (const fs::path& file : spec.files) {
    if (spec.format == "text")
      each_piece(file, cut, [&](std::string_view text, size_t) { see(text); });
    else
      each_row(file, spec.format, columns_by_number(spec),
               [&](Row& row, const std::string& where) { see(texts.of(row, where)); });
  }
}

}  // namespace rgm
