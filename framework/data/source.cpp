// source.cpp - the source that fits a data entry, and the text that a tokenizer is trained on.
#include "data/source.hpp"

#include <algorithm>

#include "data/rows.hpp"
#include "data/text_pieces.hpp"

namespace rgm {
namespace {

// The texts of a row: what is mapped, else `text`, else every text there is.
void append_texts(const DataSpec& spec, const Row& row, std::string& out) {
  const auto append = [&](const Row& value) {
    for (const auto& one : value.is_array() ? value : Row::array({value}))
      if (one.is_string()) (out += one.get_ref<const std::string&>()) += '\n';
  };
  const auto append_named = [&](const std::string& name) {
    if (const auto found = row.find(name); found != row.end()) append(*found);
  };
  if (spec.columns.empty() && row.contains("text")) return append_named("text");
  if (spec.columns.empty()) {
    for (const auto& [name, value] : row.items()) append(value);
    return;
  }
  for (const ColumnMap& map : spec.columns) {
    if (map.prompt) append_named(*map.prompt);
    append_named(map.from);
  }
}

}  // namespace

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

void each_text(const DataSpec& spec, const Tokenizer* cut, const std::function<void(std::string_view)>& see) {
  require(!spec.files.empty(), "data: no files were found");
  for (const fs::path& file : spec.files) {
    if (spec.format == "text")
      each_piece(file, cut, [&](std::string_view text, size_t) { see(text); });
    else
      each_row(file, spec.format, columns_by_number(spec), [&](Row& row, const std::string&) {
        std::string text;
        append_texts(spec, row, text);
        see(text);
      });
  }
}

}  // namespace rgm
