#include "data/sequences.hpp"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "data/chat_rows.hpp"
#include "data/rows.hpp"
#include "data/stored_column.hpp"
#include "data/text_pieces.hpp"

namespace rgm {
namespace {

const Row& field(const Row& row, const std::string& name, const std::string& where) {
  const auto found = row.find(name);
  require_readable(row, name, where);
  if (found == row.end()) {
    std::vector<std::string> names;
    for (const auto& [key, value] : row.items()) names.push_back(key);
    invalid(
        "{}: there is no \"{}\"; there are {}: say which one with --column text=NAME, or text=0 by number if a table "
        "has no header line{}",
        where, name, join(names), unreadable_columns(row) + other_separator(row));
  }
  require(!found->is_structured() && !found->is_null(), "{}: \"{}\" is {}, but only text is read here", where, name,
          found->is_array() ? "a list" : fmt::format("JSON of the type {}", found->type_name()));
  return *found;
}

// What a row is, by what was said of it and by the first row.
struct Reading {
  ColumnMap map{"text", "text", std::nullopt};
  bool is_recognised = false;  // by the row alone
};
Reading reading_of(const DataSpec& spec, const Row& first) {
  ColumnMap out = Reading().map;
  bool is_said = false;
  for (const ColumnMap& c : spec.columns) {
    require(c.column == "text" || c.column == "prompt",
            "nothing here reads the column \"{}\": this model predicts the tokens of \"text\", after \"prompt\"",
            c.column);
    if (c.column == "prompt")
      out.prompt = c.from;
    else
      out.from = c.from, is_said = true;
  }
  if (!is_said && !out.prompt)
    if (auto found = first.contains("text") ? recognised_answer(first, "text") : recognised(first, "text"))
      return {*found, true};
  const auto found = first.find(out.from);
  if (found != first.end() && found->is_array() && !found->empty() && found->front().is_object() && !out.prompt)
    out.chat = ChatMap{};
  return {out};
}

}  // namespace

void each_sequence(const DataSpec& spec, const Tokenizer& tokenizer, const TemplateCall& template_for,
                   const SequenceCall& see) {
  const fs::path& file = spec.files.at(0);
  if (spec.format == "text") {
    std::string text;
    each_piece(file, nullptr, [&](std::string_view piece, size_t) { text += piece; });
    try {
      return see({tokenizer.encode(text), {}}, Row(), file.string());
    } catch (const Error& e) {
      invalid("{}: {}", file.string(), e.what());
    }
  }
  std::optional<Reading> reading;
  std::shared_ptr<const ChatTemplate> chat;
  each_row(file, spec.format, {columns_by_number(spec), spec.separator}, [&](Row& row, const std::string& where) {
    if (!reading) {
      reading = reading_of(spec, row);
      if (reading->map.chat) chat = std::make_shared<const ChatTemplate>(template_for(reading->map));
      if (reading->map.chat || reading->map.prompt)
        log::info("{}: read as {}", file.string(), description(reading->map));
    }
    const ColumnMap& map = reading->map;
    StoredColumn one{.wish = {"text", RGM_TOKENS_COLUMN, 0}, .map = map, .is_recognised = reading->is_recognised};
    if (chat) {
      require_readable(row, map.from, where);
      one.chat = chat;
      one.add_chat(row, false, tokenizer, where);
    } else {
      const bool has_prompt =
          map.prompt && !(reading->is_recognised && row.value(*map.prompt, Row()).is_null());  // as in training
      const Row* const prompt = has_prompt ? &field(row, *map.prompt, where) : nullptr;
      const Ending ending = !map.prompt ? Ending::as_written : one.is_cut(row, 0) ? Ending::cut : Ending::ended;
      one.add_tokens(field(row, map.from, where), prompt, tokenizer, ending, where);
    }
    TokenExample tokens = one.tokens(0);
    if (!chat && !map.prompt) tokens.weights.clear();
    see(std::move(tokens), row, where);
  });
}

}  // namespace rgm
