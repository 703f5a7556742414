// row_texts.cpp - what of a row will be tokens, found as ColumnSource finds it.
#include "data/row_texts.hpp"

#include <algorithm>

#include "data/chat_rows.hpp"
#include "data/rows.hpp"
#include "data/stored_column.hpp"

namespace rgm {
namespace {

// Every text in the value, of lists and objects too; numbers are texts where they are `read` as tokens.
void append(const Row& value, std::string& out, bool read = false) {
  if (value.is_string() || (read && value.is_primitive() && !value.is_null())) (out += as_text(value)) += '\n';
  if (value.is_structured())
    for (const Row& one : value) append(one, out, read);
}

void append_named(const Row& row, const std::string& name, const std::string& where, std::string& out) {
  require_readable(row, name, where);
  if (const auto found = row.find(name); found != row.end()) append(*found, out, /*read=*/true);
}

}  // namespace

RowTexts::RowTexts(const DataSpec& spec, const std::vector<ColumnWish>& wishes) : spec_(spec) {
  for (const ColumnWish& wish : wishes)
    if (wish.kind == RGM_TOKENS_COLUMN) names_.push_back(wish.name);
  if (!wishes.empty()) return;
  for (const ColumnMap& map : spec.columns) names_.push_back(map.column);
  if (std::ranges::find(names_, "text") == names_.end()) names_.emplace_back("text");
}

void RowTexts::look_at(const Row& first) {
  for (const std::string& name : names_) {
    const auto given = std::ranges::find(spec_.columns, name, &ColumnMap::column);
    std::optional<ColumnMap> map;
    if (given != spec_.columns.end())
      map = *given;
    else if (first.contains(name))
      map = recognised_answer(first, name).value_or(ColumnMap{name, name, std::nullopt});
    else if (name == "text")
      map = recognised(first, name);
    if (!map) continue;
    Column& column = columns_.emplace_back(Column{*map});
    // What begins and ends a text is a matter of the tokenizer to come: this one has nothing for it.
    if (map->chat) column.chat = chat_template_for(*map, *character_tokenizer("a"));
  }
}

std::string RowTexts::of(const Row& row, const std::string& where) {
  if (!has_seen_) look_at(row);
  has_seen_ = true;
  std::string out;
  for (const auto& [map, chat] : columns_) {
    if (chat) {
      require_readable(row, map.from, where);
      const Messages messages = messages_of(row, map, where);
      try {
        out +=
            chat->render(messages, false, map.chat->alpaca ? Messages::object() : beside_messages(row, where)) + '\n';
      } catch (const Error& e) {
        invalid("{}: {}", where, e.what());
      }
      continue;
    }
    if (map.prompt) append_named(row, *map.prompt, where, out);
    append_named(row, map.from, where, out);
  }
  if (columns_.empty()) append(row, out);
  return out;
}

}  // namespace rgm
