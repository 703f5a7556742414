// wished_columns.cpp - a component's wishes and the pipeline's `columns`, put together.
#include "data/wished_columns.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace rgm {
namespace {

bool wishes_column(const std::vector<ColumnWish>& wishes, std::string_view name) {
  return std::ranges::find(wishes, name, &ColumnWish::name) != wishes.end();
}

void check_maps(const DataSpec& spec, const std::vector<ColumnWish>& wishes) {
  for (const ColumnMap& map : spec.columns) {
    const bool is_wished = wishes_column(wishes, every_column) || wishes_column(wishes, map.column);
    std::vector<std::string> names;
    names.reserve(wishes.size());
    for (const ColumnWish& wish : wishes) names.push_back(wish.name);
    require(is_wished, "data: nothing here reads the column \"{}\"; there are {}{}", map.column, join(names),
            did_you_mean(map.column, names));
  }
}

}  // namespace

WishedColumns wished_columns(const DataSpec& spec, const std::vector<ColumnWish>& wishes, const Tokenizer* tokenizer,
                             const SourceOptions& options) {
  check_maps(spec, wishes);
  const bool all = wishes_column(wishes, every_column);
  WishedColumns out;
  for (const ColumnMap& map : spec.columns)
    if (all && !wishes_column(wishes, map.column)) {
      require(!map.chat, "data: the column \"{}\" is read as it stands, not as a conversation", map.column);
      out.columns.push_back({.wish = {map.column, RGM_TEXT_COLUMN, 0}, .map = map});
      out.mapping += fmt::format(" {} {}", map.column, map.from);
    }
  out.takes_all = all && spec.columns.empty();
  if (spec.separator != ',') out.mapping += fmt::format(" by {}", spec.separator);
  if (out.takes_all) out.mapping += " *";
  for (const ColumnWish& wish : wishes) {
    if (wish.name == every_column) continue;
    StoredColumn& column =
        out.columns.emplace_back(StoredColumn{.wish = wish, .map = {wish.name, wish.name, std::nullopt}});
    const auto found = std::ranges::find(spec.columns, wish.name, &ColumnMap::column);
    if (found != spec.columns.end()) column.map = *found;
    if (wish.kind == RGM_LABEL_COLUMN) {
      column.labels = options.labels, column.outputs = options.outputs;
      column.is_present = options.outputs > 0;
      require(column.is_present || (found == spec.columns.end() && (wish.flags & RGM_OPTIONAL)),
              "data: column \"{}\" holds labels, but the model has no head for them: add model: {{head: {{classify: "
              "{{labels: [...]}}}}}}",
              wish.name);
      out.mapping += fmt::format(" {}", fmt::join(options.labels, " "));
    }
    out.mapping += fmt::format(" {} {} {}", wish.name, column.map.from, column.map.prompt.value_or(""));
    require(wish.kind != RGM_TOKENS_COLUMN || (tokenizer && options.context > 0),
            "data: column \"{}\" holds tokens, which need a tokenizer and a context", wish.name);
    require(!column.map.chat || column.is_tokens(), "data: column \"{}\" holds no text that could be a conversation",
            wish.name);
    if (column.map.chat) {
      column.open_chat(*tokenizer);
      out.mapping += fmt::format(" {} {}", fmt::join(column.map.chat->roles, " "), column.chat->source());
    }
  }
  return out;
}

}  // namespace rgm
