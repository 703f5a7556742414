// column_source.cpp - examples from files with rows. A row whose fields are lists, such as one prompt with four
// answers, is as many examples.
#include <algorithm>
#include <unordered_map>

#include "base/log.hpp"
#include "base/philox.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "data/chat_rows.hpp"
#include "data/content_hash.hpp"
#include "data/rows.hpp"
#include "data/source.hpp"
#include "data/stored_column.hpp"
#include "data/units.hpp"

namespace rgm {
namespace {

std::vector<std::string> names_of(const Row& row) {
  std::vector<std::string> out;
  for (const auto& [name, value] : row.items()) out.push_back(name);
  return out;
}

bool wishes_all(const std::vector<ColumnWish>& wishes) {
  return std::ranges::find(wishes, every_column, &ColumnWish::name) != wishes.end();
}

class ColumnSource final : public Source {
 public:
  ColumnSource(const DataSpec& spec, const std::vector<ColumnWish>& wishes, std::shared_ptr<const Tokenizer> tokenizer,
               const SourceOptions& options)
      : spec_(spec),
        tokenizer_(std::move(tokenizer)),
        labels_(options.labels),
        context_(options.context),
        by_length_(options.by_length),
        predicts_first_(options.predicts_first),
        end_of_text_(options.end_of_text),
        see_(options.see) {
    std::string mapping;
    for (const ColumnMap& map : spec.columns)
      if (wishes_all(wishes) && std::ranges::find(wishes, map.column, &ColumnWish::name) == wishes.end()) {
        require(!map.chat, "data: the column \"{}\" is read as it stands, not as a conversation", map.column);
        columns_.push_back({.wish = {map.column, RGM_TEXT_COLUMN, 0}, .map = map});
        mapping += fmt::format(" {} {}", map.column, map.from);
      }
    takes_all_ = wishes_all(wishes) && spec.columns.empty();
    if (takes_all_) mapping += " *";
    for (const ColumnWish& wish : wishes) {
      if (wish.name == every_column) continue;
      StoredColumn& column =
          columns_.emplace_back(StoredColumn{.wish = wish, .map = {wish.name, wish.name, std::nullopt}});
      const auto found = std::ranges::find(spec.columns, wish.name, &ColumnMap::column);
      if (found != spec.columns.end()) column.map = *found;
      if (wish.kind == RGM_LABEL_COLUMN) {
        column.labels = &labels_, column.outputs = options.outputs;
        column.is_present = options.outputs > 0;
        require(column.is_present || (found == spec.columns.end() && (wish.flags & RGM_OPTIONAL)),
                "data: column \"{}\" holds labels, but the model has no head for them: add model: {{head: {{classify: "
                "{{labels: [...]}}}}}}",
                wish.name);
      }
      if (wish.kind == RGM_LABEL_COLUMN) mapping += fmt::format(" {}", fmt::join(labels_, " "));
      mapping += fmt::format(" {} {} {}", wish.name, column.map.from, column.map.prompt.value_or(""));
      require(wish.kind != RGM_TOKENS_COLUMN || (tokenizer_ && context_ > 0),
              "data: column \"{}\" holds tokens, which need a tokenizer and a context", wish.name);
      require(!column.map.chat || column.is_tokens(), "data: column \"{}\" holds no text that could be a conversation",
              wish.name);
      if (column.map.chat)
        mapping += fmt::format(" {} {}", fmt::join(column.map.chat->roles, " "), open_chat(column).source());
    }
    read();
    mapping += recognised_;
    const std::string content = content_hash(spec.files, options.cache);
    sha256_ = rgm::sha256(fmt::format("{} {} {} {}{}{}", spec.format, content, spec.split_begin, spec.split_end,
                                      mapping, spec.rows > 0 ? fmt::format(" of {} units", spec.rows) : ""));
    units_ = units_of(spec, columns_, rows_, lists_);
    for (const StoredColumn& column : columns_)
      if (column.is_tokens() && column.is_present)
        for (const int64_t e : units_.examples) {
          tokens_ += column.length(e);
          counted_ += column.counted(e, context_);
        }
    tell_of_begun();
    warn_of_cut();
    warn_of_nothing_to_learn();
  }

  int64_t units() const override { return units_.count(); }
  int64_t tokens() const override { return tokens_; }
  int64_t counted() const override { return counted_; }
  const std::string& sha256() const override { return sha256_; }
  std::string chat_template() const override {
    for (const StoredColumn& column : columns_)
      if (column.chat) return column.chat->source();
    return "";
  }

  int64_t examples_of(int64_t unit) const override { return units_.examples_of(unit); }
  int64_t unit_at(int64_t position, uint64_t order_seed) const override {
    require(position >= 0, "the data has no position {}", position);
    return permuted(position % units(), units(), mix(order_seed, static_cast<uint64_t>(position / units())));
  }
  Batch batch(int64_t position, int64_t count, uint64_t order_seed) const override {
    std::vector<int64_t> examples;
    std::vector<int32_t> copies;  // of every example: how often it has come before
    std::unordered_map<int64_t, int32_t> seen;
    for (int64_t i = position; i < position + count; ++i) {
      const int64_t unit = unit_at(i, order_seed);
      units_.append(unit, examples);
      copies.resize(examples.size(), seen[unit]++);
    }
    Batch out = gather(examples);
    const bool repeats = std::ranges::any_of(copies, [](int32_t n) { return n > 0; });
    for (const StoredColumn& column : columns_)
      if (repeats && column.is_present && (column.wish.flags & RGM_TOGETHER))
        part_copies(out.columns.at(column.wish.name), copies);
    return out;
  }
  Batch in_order(int64_t begin, int64_t end) const override {
    require(begin >= 0 && begin <= end && end <= units(), "the data has {} examples, {} to {} were asked for", units(),
            begin, end);
    std::vector<int64_t> examples;
    for (int64_t i = begin; i < end; ++i) units_.append(i, examples);
    return gather(examples);
  }

 private:
  void read() {
    const bool numbered = columns_by_number(spec_);
    const bool makes_groups =
        std::ranges::any_of(columns_, [](const StoredColumn& c) { return c.wish.flags & RGM_TOGETHER; });
    // Of a group, an example may come later.
    const auto is_enough = [&] { return spec_.rows > 0 && !makes_groups && examples_ >= spec_.rows; };
    for (const fs::path& file : spec_.files) {
      each_row(
          file, spec_.format, numbered, [&](Row& row, const std::string& where) { add_row(row, where); }, is_enough);
      if (is_enough()) break;
    }
    require(examples_ > 0, "{}: has no examples", spec_.files.front().string());
  }

  const ChatTemplate& open_chat(StoredColumn& column) {
    column.chat = std::make_shared<const ChatTemplate>(chat_template_for(column.map, *tokenizer_));
    return *column.chat;
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
      recognised_ += fmt::format(" {} {}", name, description(*found));
      if (spec_.split == 0) log::info("{}: read as {}", spec_.files.front().string(), description(*found));
      if (found->chat) open_chat(column);
    }
  }

  // The row's value, or nullptr where the first row shows that the column is left out.
  const Row* field(StoredColumn& column, const std::string& name, const Row& row, const std::string& where,
                   bool may_miss) {
    const auto found = row.find(name);
    if (found != row.end() && !found->is_null()) return &*found;
    static const Row nothing = "";
    if (column.may_be_empty) return &nothing;
    if (may_miss && examples_ == 0 && found == row.end()) {
      column.is_present = false, column.is_missing = true;
      return nullptr;
    }
    require(found == row.end(), "{}: \"{}\" is null, and the column \"{}\" needs a value in every row", where, name,
            column.wish.name);
    const auto names = names_of(row);
    const bool is_table = spec_.format == "csv" || spec_.format == "tsv";
    invalid("{}: there is no \"{}\" for the column \"{}\"; there are {}{}{}", where, name, column.wish.name,
            join(names),
            is_table && !columns_by_number(spec_) ? " (give columns by number if the file has no header line)" : "",
            did_you_mean(name, names));
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
    for (const std::string& name : names_of(row))
      if (std::ranges::none_of(columns_, [&](const StoredColumn& c) { return c.wish.name == name; }))
        columns_.push_back(
            {.wish = {name, RGM_TEXT_COLUMN, 0}, .map = {name, name, std::nullopt}, .may_be_empty = true});
  }

  // The i-th example's own members in place of the lists that were read.
  Row row_of(const Row& row, const std::vector<std::pair<const Row*, const Row*>>& values, size_t i) const {
    Row out = row;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const auto& [value, prompt] = values[c];
      if (value && value->is_array()) out[columns_[c].map.from] = (*value)[i];
      if (prompt && prompt->is_array()) out[*columns_[c].map.prompt] = (*prompt)[i];
    }
    return out;
  }

  void add_row(const Row& row, const std::string& where) {
    if (takes_all_ && examples_ == 0) take_all(row);
    if (examples_ == 0) recognise(row);
    std::vector<std::pair<const Row*, const Row*>> values;  // of every column: itself, its prompt
    size_t count = 1;
    bool has_lists = false;
    const auto consider = [&](const Row* value, const std::string& name, const std::string& column, bool is_text) {
      if (!value || !value->is_array()) return;
      require(!value->empty(), "{}: \"{}\" is an empty list", where, name);
      require(!is_text || !value->front().is_object(),
              "{0}: \"{1}\" is a list of objects, expected text; if it is a conversation, say so with columns: {{{2}: "
              "{{messages: {1}}}}}",
              where, name, column);
      require(!is_text || !value->front().is_number(),
              "{}: \"{}\" is a list of numbers, expected text: a model's tokens are made from text here", where, name);
      require(!has_lists || value->size() == count, "{}: \"{}\" is a list of {}, but another list here has {}", where,
              name, value->size(), count);
      count = value->size();
      has_lists = true;
    };
    for (StoredColumn& column : columns_) {
      const Row *value = nullptr, *prompt = nullptr;
      if (column.map.chat) {
        values.emplace_back(nullptr, nullptr);
        continue;
      }
      const bool may_miss = column.wish.flags & (RGM_OPTIONAL | RGM_TOGETHER);
      if (column.is_present) value = field(column, column.map.from, row, where, may_miss);
      if (column.is_missing) tell_of_late(column, row, where);
      const bool is_asked = value && column.map.prompt;
      const auto asked = is_asked ? row.find(*column.map.prompt) : row.end();
      if (is_asked && !(column.is_recognised && (asked == row.end() || asked->is_null())))
        prompt = field(column, *column.map.prompt, row, where, false);
      consider(value, column.map.from, column.wish.name, column.is_tokens());
      if (prompt) consider(prompt, *column.map.prompt, column.wish.name, true);
      values.emplace_back(value, prompt);
    }
    const auto at = [](const Row* value, size_t i) -> const Row& { return value->is_array() ? (*value)[i] : *value; };
    for (size_t i = 0; i < count; ++i) {
      for (size_t c = 0; c < columns_.size(); ++c) {
        const auto& [value, prompt] = values[c];
        if (columns_[c].map.chat)
          columns_[c].add_chat(row, !end_of_text_, *tokenizer_, where);
        else if (value && columns_[c].is_tokens())
          columns_[c].add_tokens(at(value, i), prompt ? &at(prompt, i) : nullptr, *tokenizer_,
                                 !end_of_text_                ? Ending::as_written
                                 : columns_[c].is_cut(row, i) ? Ending::cut
                                                              : Ending::ended,
                                 where);
        else if (value)
          columns_[c].add(at(value, i), where);
      }
      if (see_) see_(row_of(row, values, i));
      rows_.push_back(row_count_);
      ++examples_;
    }
    ++row_count_;
    lists_ |= has_lists;
  }

  // Where some answers only begin with their prompt, they may mean it.
  void tell_of_begun() const {
    for (const StoredColumn& column : columns_) {
      if (column.begun == 0 || spec_.split != 0) continue;
      const std::string file = spec_.files.front().string(), &name = column.map.from, &prompt = *column.map.prompt;
      if (column.begun == examples_)
        log::info("{}: \"{}\" always begins with its \"{}\", which is read only once", file, name, prompt);
      else
        log::warning(
            "{0}: {1} of {2} texts in \"{3}\" begin with their \"{4}\", which is read only once there; if it is part "
            "of the answer, write columns: {{{5}: {{prompt: {4}, answer: {3}}}}}",
            file, column.begun, examples_, name, prompt, column.wish.name);
    }
  }

  void warn_of_cut() const {
    for (const StoredColumn& column : columns_) {
      if (!column.is_tokens() || !column.is_present) continue;
      const auto cut = std::ranges::count_if(units_.examples, [&](int64_t e) { return column.length(e) > context_; });
      if (cut > 0)
        log::warning("{}: {} of {} examples of \"{}\" are longer than the {} of {} tokens and are cut there{}",
                     spec_.files.front().string(), cut, units_.examples.size(), column.wish.name, bound(), context_,
                     by_length_ ? "; a larger length keeps more of them" : "");
    }
  }

  // Where a prompt fills the row, or nothing follows it, no token of the example counts.
  void warn_of_nothing_to_learn() const {
    for (const StoredColumn& column : columns_) {
      if (!column.is_tokens() || !column.is_present || !(column.map.prompt || column.map.chat)) continue;
      const auto empty =
          std::ranges::count_if(units_.examples, [&](int64_t e) { return column.counted(e, context_) == 0; });
      const std::string file = spec_.files.front().string();
      const auto all = static_cast<int64_t>(units_.examples.size());
      require(empty < all,
              "{}: none of the {} examples of \"{}\" has a token to learn: their prompts alone fill the {} of {} "
              "tokens, or nothing follows them; {}, or choose other roles",
              file, all, column.wish.name, bound(), context_,
              by_length_ ? "set a larger length" : "give the model a longer context");
      if (empty > 0)
        log::warning("{}: {} of {} examples of \"{}\" have no token to learn: their prompts fill the {} of {} tokens",
                     file, empty, all, column.wish.name, bound(), context_);
    }
  }

  const char* bound() const { return by_length_ ? "length" : "context"; }

  Batch gather(const std::vector<int64_t>& examples) const {
    Batch out;
    out.examples = static_cast<int64_t>(examples.size());
    for (const StoredColumn& column : columns_)
      if (column.is_present) out.columns.emplace(column.wish.name, column.gather(examples, context_, predicts_first_));
    return out;
  }

  const DataSpec spec_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::string> labels_;
  int64_t context_;
  bool by_length_, predicts_first_, end_of_text_;
  std::function<void(const Row& row)> see_;
  std::vector<StoredColumn> columns_;
  std::vector<int32_t> rows_;  // of every example: the row it came from
  int64_t examples_ = 0, tokens_ = 0, counted_ = 0;
  int32_t row_count_ = 0;
  bool lists_ = false, takes_all_ = false;
  Units units_;
  std::string sha256_, recognised_;
};

}  // namespace

std::unique_ptr<Source> open_columns(const DataSpec& spec, const std::vector<ColumnWish>& wishes,
                                     std::shared_ptr<const Tokenizer> tokenizer, const SourceOptions& options) {
  require(!spec.files.empty(), "data: no files were found");
  for (const ColumnMap& map : spec.columns) {
    const bool is_wished =
        wishes_all(wishes) || std::ranges::find(wishes, map.column, &ColumnWish::name) != wishes.end();
    std::vector<std::string> names;
    names.reserve(wishes.size());
    for (const ColumnWish& wish : wishes) names.push_back(wish.name);
    require(is_wished, "data: nothing here reads the column \"{}\"; there are {}{}", map.column, join(names),
            did_you_mean(map.column, names));
  }
  return std::make_unique<ColumnSource>(spec, wishes, std::move(tokenizer), options);
}

}  // namespace rgm
