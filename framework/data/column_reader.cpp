// column_reader.cpp - what the first row shows of a file, and each row as one example or several.
#include "data/column_reader.hpp"

#include <algorithm>
#include <functional>
#include <optional>

#include "base/log.hpp"
#include "base/text.hpp"
#include "data/chat_rows.hpp"
#include "data/rows.hpp"

namespace rgm {
namespace {

std::vector<std::string> names_of(const Row& row) {
  std::vector<std::string> out;
  for (const auto& [name, value] : row.items()) out.push_back(name);
  return out;
}

class ColumnReader {
 public:
  ColumnReader(const DataSpec& spec, WishedColumns& wished, const Tokenizer* tokenizer, const SourceOptions& options)
      : spec_(spec),
        columns_(wished.columns),
        takes_all_(wished.takes_all),
        tokenizer_(tokenizer),
        end_of_text_(options.end_of_text),
        see_(options.see) {}

  ReadRows read() {
    const bool numbered = columns_by_number(spec_);
    const bool makes_groups =
        std::ranges::any_of(columns_, [](const StoredColumn& c) { return c.wish.flags & RGM_TOGETHER; });
    // Of a group, an example may come later.
    const auto is_enough = [&] { return spec_.rows > 0 && !makes_groups && std::ssize(out_.rows) >= spec_.rows; };
    for (const fs::path& file : spec_.files) {
      each_row(
          file, spec_.format, {numbered, spec_.separator},
          [&](Row& row, const std::string& where) { add_row(row, where); }, is_enough, [&] { return wanted(); });
      if (is_enough()) break;
    }
    require(!out_.rows.empty(), "{}: has no examples", spec_.files.front().string());
    return std::move(out_);
  }

 private:
  // What is looked at in a row once the first one was read; nothing where its reader wants all of it.
  std::optional<std::vector<std::string>> wanted() const {
    if (takes_all_ || see_) return std::nullopt;
    std::vector<std::string> out = {"finished"};
    for (const StoredColumn& column : columns_) {
      out.insert(out.end(), {column.map.from, column.map.from + ".finished"});
      if (column.map.prompt) out.push_back(*column.map.prompt);
      if (!column.map.chat) continue;
      out.insert(out.end(), {"tools", "documents", "chat_template_kwargs"});
      if (column.map.chat->alpaca) out.insert(out.end(), {"instruction", "input", "output", "system"});
    }
    return out;
  }

  // The first row says what the file is where nobody has: conversations, instructions, prompts with their answers.
  void recognise(const Row& row) {
    // Who reads prompts by themselves puts them together with answers in its own way.
    const bool reads_prompts =
        std::ranges::any_of(columns_, [](const StoredColumn& c) { return c.is_tokens() && c.wish.name == "prompt"; });
    for (StoredColumn& column : columns_) {
      const bool is_given =
          std::ranges::find(spec_.columns, column.wish.name, &ColumnMap::column) != spec_.columns.end();
      const std::string& name = column.wish.name;
      if (!column.is_tokens() || is_given) continue;
      if (reads_prompts && row.contains(name) && name != "prompt") continue;
      const auto found = row.contains(name) ? recognised_answer(row, name)
                         : name == "text"   ? recognised(row, name)
                                            : std::nullopt;
      if (!found) continue;
      column.map = *found;
      column.is_recognised = true;
      out_.recognised += fmt::format(" {} {}", name, description(*found));
      if (spec_.split == 0) log::info("{}: read as {}", spec_.files.front().string(), description(*found));
      if (found->chat) column.open_chat(*tokenizer_);
    }
  }

  // The row's value, or nullptr where the first row shows that the column is left out.
  const Row* field(StoredColumn& column, const std::string& name, const Row& row, const std::string& where,
                   bool may_miss) {
    const auto found = row.find(name);
    require_readable(row, name, where);
    if (found != row.end() && !found->is_null()) return &*found;
    static const Row nothing = "";
    if (column.may_be_empty) return &nothing;
    if (may_miss && out_.rows.empty() && found == row.end()) {
      column.is_present = false, column.is_missing = true;
      return nullptr;
    }
    require(found == row.end(), "{}: \"{}\" is null, and the column \"{}\" needs a value in every row", where, name,
            column.wish.name);
    const auto names = names_of(row);
    const bool is_table = spec_.format == "csv" || spec_.format == "tsv";
    const std::string near = did_you_mean(name, names);
    const bool is_unnamed = near.empty() && !is_table && name == column.wish.name;  // nobody has said what it is called
    invalid("{}: there is no \"{}\" for the column \"{}\"; there are {}{}{}{}", where, name, column.wish.name,
            join(names),
            is_table && !columns_by_number(spec_) ? " (give columns by number if the file has no header line)" : "",
            is_unnamed ? fmt::format("; if one of them is meant, write columns: {{{0}: NAME}}, or for a command "
                                     "--column {0}=NAME",
                                     name)
                       : near,
            unreadable_columns(row) + (spec_.format == "csv" ? other_separator(row) : ""));
  }

  // What the first row lacks is read of no row.
  void tell_of_late(StoredColumn& column, const Row& row, const std::string& where) const {
    const auto found = row.find(column.map.from);
    if (found == row.end() || found->is_null() || spec_.split != 0) return;
    column.is_missing = false;
    log::warning("{}: \"{}\" is read of no row, because the first row has none; give it in all rows, or in none", where,
                 column.map.from);
  }

  // Every column of the first row that nobody asked for by name, as text.
  void take_all(const Row& row) {
    Row readable = row;
    drop_unreadable(readable);
    for (const std::string& name : names_of(readable))
      if (std::ranges::none_of(columns_, [&](const StoredColumn& c) { return c.wish.name == name; }))
        columns_.push_back(
            {.wish = {name, RGM_TEXT_COLUMN, 0}, .map = {name, name, std::nullopt}, .may_be_empty = true});
  }

  // Itself and its prompt, nullptr where a column is left out or has none.
  struct Fields {
    const Row *value, *prompt;
  };
  Fields fields_of(StoredColumn& column, const Row& row, const std::string& where) {
    Fields out{nullptr, nullptr};
    if (column.map.chat) {
      require_readable(row, column.map.from, where);
      if (column.map.prompt) require_readable(row, *column.map.prompt, where);
      return out;
    }
    const bool may_miss = column.wish.flags & (RGM_OPTIONAL | RGM_TOGETHER);
    if (column.is_present) out.value = field(column, column.map.from, row, where, may_miss);
    if (column.is_missing) tell_of_late(column, row, where);
    if (!out.value || !column.map.prompt) return out;
    const auto asked = row.find(*column.map.prompt);
    if (!(column.is_recognised && (asked == row.end() || asked->is_null())))
      out.prompt = field(column, *column.map.prompt, row, where, false);
    return out;
  }

  // How many examples a row is, by the lists in it, which are equally long; nothing without one.
  using Count = std::optional<size_t>;
  static void count(const Row* value, const std::string& name, const std::string& column, bool is_text,
                    const std::string& where, Count& all) {
    if (!value || !value->is_array()) return;
    require(!value->empty(), "{}: \"{}\" is an empty list", where, name);
    require(!is_text || !value->front().is_object(),
            "{0}: \"{1}\" is a list of objects, expected text; if it is a conversation, say so with columns: {{{2}: "
            "{{messages: {1}}}}}",
            where, name, column);
    require(!is_text || !value->front().is_number(),
            "{}: \"{}\" is a list of numbers, expected text: a model's tokens are made from text here", where, name);
    require(!all || value->size() == *all, "{}: \"{}\" is a list of {}, but another list here has {}", where, name,
            value->size(), all.value_or(0));
    all = value->size();
  }

  void add_row(const Row& row, const std::string& where) {
    if (takes_all_ && out_.rows.empty()) take_all(row);
    if (out_.rows.empty()) recognise(row);
    std::vector<Fields> fields;  // of every column
    Count lists;
    for (StoredColumn& column : columns_) {
      const auto& [value, prompt] = fields.emplace_back(fields_of(column, row, where));
      count(value, column.map.from, column.wish.name, column.is_tokens(), where, lists);
      if (prompt) count(prompt, *column.map.prompt, column.wish.name, true, where, lists);
    }
    for (size_t i = 0; i < lists.value_or(1); ++i) {
      for (size_t c = 0; c < columns_.size(); ++c) add_value(columns_[c], row, fields[c], i, where);
      if (see_) see_(row_of(row, fields, i));
      out_.rows.push_back(row_count_);
    }
    ++row_count_;
    out_.have_lists |= lists.has_value();
  }

  void add_value(StoredColumn& column, const Row& row, const Fields& fields, size_t i, const std::string& where) {
    const auto& [value, prompt] = fields;
    const auto at = [i](const Row* of) -> const Row& { return of->is_array() ? (*of)[i] : *of; };
    if (column.map.chat)
      column.add_chat(row, !end_of_text_, *tokenizer_, where);
    else if (value && column.is_tokens())
      column.add_tokens(at(value), prompt ? &at(prompt) : nullptr, *tokenizer_,
                        !end_of_text_           ? Ending::as_written
                        : column.is_cut(row, i) ? Ending::cut
                                                : Ending::ended,
                        where);
    else if (value)
      column.add(at(value), where);
  }

  // The i-th example's own members in place of the lists that were read.
  Row row_of(const Row& row, const std::vector<Fields>& fields, size_t i) const {
    Row out = row;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const auto& [value, prompt] = fields[c];
      if (value && value->is_array()) out[columns_[c].map.from] = (*value)[i];
      if (prompt && prompt->is_array()) out[*columns_[c].map.prompt] = (*prompt)[i];
    }
    return out;
  }

  const DataSpec& spec_;
  std::vector<StoredColumn>& columns_;
  const bool takes_all_;
  const Tokenizer* const tokenizer_;
  const bool end_of_text_;
  const std::function<void(const Row& row)>& see_;
  ReadRows out_;
  int32_t row_count_ = 0;
};

}  // namespace

ReadRows read_rows(const DataSpec& spec, WishedColumns& wished, const Tokenizer* tokenizer,
                   const SourceOptions& options) {
  return ColumnReader(spec, wished, tokenizer, options).read();
}

}  // namespace rgm
