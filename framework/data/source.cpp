// source.cpp - the source that fits a data entry, and the text that a tokenizer is trained on.
#include "data/source.hpp"

#include <algorithm>

#include "data/mixed_source.hpp"
#include "data/row_texts.hpp"
#include "data/rows.hpp"
#include "data/text_pieces.hpp"

namespace rgm {

const char* name_of_kind(int32_t kind) {
  switch (kind) {
    case RGM_TOKENS_COLUMN: return "tokens";
    case RGM_TEXT_COLUMN: return "text";
    case RGM_INTEGER_COLUMN: return "whole numbers";
    case RGM_REAL_COLUMN: return "real numbers";
    case RGM_LABEL_COLUMN: return "labels";
    default: return "a kind that is not known";
  }
}

std::optional<char> read_separator(std::string_view text) {
  if (text == "\\t") return '\t';
  if (text.size() != 1 || text == "\"" || text == "\n" || text == "\r") return std::nullopt;
  return text[0];
}

bool columns_by_number(const DataSpec& spec) {
  const auto is_number = [](const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  };
  return !spec.columns.empty() && std::ranges::all_of(spec.columns, [&](const ColumnMap& map) {
    if (!map.several.empty()) return std::ranges::all_of(map.several, is_number);
    return is_number(map.from) && is_number(map.prompt.value_or("0"));
  });
}

std::span<const DataSpec> parts_of(const DataSpec& spec) {
  return spec.parts.empty() ? std::span(&spec, 1) : std::span(spec.parts);
}
std::span<DataSpec> parts_of(DataSpec& spec) {
  return spec.parts.empty() ? std::span(&spec, 1) : std::span(spec.parts);
}

std::vector<fs::path> all_files(const DataSpec& spec) {
  std::vector<fs::path> out;
  for (const DataSpec& part : parts_of(spec)) out.insert(out.end(), part.files.begin(), part.files.end());
  return out;
}

std::unique_ptr<Source> open_source(const DataSpec& spec, const std::vector<ColumnWish>& wishes,
                                    const std::shared_ptr<const Tokenizer>& tokenizer, const SourceOptions& options) {
  if (!spec.parts.empty()) {
    std::vector<std::unique_ptr<Source>> parts;
    for (const DataSpec& part : spec.parts) parts.push_back(open_source(part, wishes, tokenizer, options));
    return mixed(spec, wishes, std::move(parts));
  }
  if (spec.format != "text") return open_columns(spec, wishes, tokenizer, options);
  const ColumnWish* tokens = nullptr;
  for (const ColumnWish& wish : wishes) {
    if (!tokens && wish.kind == RGM_TOKENS_COLUMN) {
      tokens = &wish;
      continue;
    }
    require(wish.flags & RGM_OPTIONAL, "data: plain text has no column \"{}\"; use jsonl, json, csv, tsv or parquet",
            wish.name);
  }
  require(tokens != nullptr,
          "data: plain text gives tokens, which nothing here reads; use jsonl, json, csv, tsv or parquet");
  return open_text(spec, *tokens, tokenizer, options);
}

void each_text(const DataSpec& spec, const Tokenizer* cut, const std::function<void(std::string_view)>& see,
               const std::vector<ColumnWish>& wishes) {
  for (const DataSpec& part : spec.parts) each_text(part, cut, see, wishes);
  if (!spec.parts.empty()) return;
  require(!spec.files.empty(), "data: no files were found");
  RowTexts texts(spec, wishes);
  for (const fs::path& file : spec.files) {
    if (spec.format == "text")
      each_piece(file, cut, [&](std::string_view text, size_t) { see(text); });
    else
      each_row(file, spec.format, {columns_by_number(spec), spec.separator},
               [&](Row& row, const std::string& where) { see(texts.of(row, where)); });
  }
}

}  // namespace rgm
