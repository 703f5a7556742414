// column_source.cpp - examples from files with rows. A row whose fields are lists, such as one prompt with four
// answers, is as many examples; those stay together where the component asks for it.
#include <algorithm>
#include <cmath>
#include <numeric>
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
        predicts_first_(options.predicts_first),
        end_of_text_(options.end_of_text) {
    std::string mapping;
    for (const ColumnMap& map : spec.columns)
      if (wishes_all(wishes) && std::ranges::find(wishes, map.column, &ColumnWish::name) == wishes.end()) {
        require(!map.chat, "data: the column \"{}\" is read as it stands, and not as a conversation", map.column);
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
                "data: column \"{}\" holds labels, and the model has no head for them: add model: {{head: {{classify: "
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
    sha256_ =
        rgm::sha256(fmt::format("{} {} {} {}{}", spec.format, content, spec.split_begin, spec.split_end, mapping));
    group();
    warn_of_cut();
    warn_of_nothing_to_learn();
  }

  int64_t units() const override { return static_cast<int64_t>(units_.size()) - 1; }
  int64_t tokens() const override { return tokens_; }
  int64_t counted() const override { return counted_; }
  const std::string& sha256() const override { return sha256_; }
  std::string chat_template() const override {
    for (const StoredColumn& column : columns_) {
      if (!column.chat) continue;
      const auto own = chat_template_of(*tokenizer_);
      return !own || own->source() != column.chat->source() ? column.chat->source() : "";
    }
    return "";
  }

  int64_t unit_at(int64_t position, uint64_t order_seed) const override {
    require(position >= 0, "the data has no position {}", position);
    return permuted(position % units(), units(), mix(order_seed, static_cast<uint64_t>(position / units())));
  }
  Batch batch(int64_t position, int64_t count, uint64_t order_seed) const override {
    std::vector<int64_t> examples;
    for (int64_t i = position; i < position + count; ++i) append_unit(unit_at(i, order_seed), examples);
    return gather(examples);
  }
  Batch in_order(int64_t begin, int64_t end) const override {
    require(begin >= 0 && begin <= end && end <= units(), "the data has {} examples, {} to {} were asked for", units(),
            begin, end);
    std::vector<int64_t> examples;
    for (int64_t i = begin; i < end; ++i) append_unit(i, examples);
    return gather(examples);
  }

 private:
  void read() {
    const bool numbered = columns_by_number(spec_);
    for (const fs::path& file : spec_.files)
      each_row(file, spec_.format, numbered, [&](Row& row, const std::string& where) { add_row(row, where); });
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
      column.is_present = false;
      return nullptr;
    }
    require(found == row.end(), "{}: \"{}\" is null, and the column \"{}\" needs a value in every row", where, name,
            column.wish.name);
    const auto names = names_of(row);
    const bool is_table = spec_.format == "csv" || spec_.format == "tsv";
    invalid("{}: there is no \"{}\" for the column \"{}\"; there are {}{}{}", where, name, column.wish.name,
            join(names),
            is_table && !columns_by_number(spec_) ? " (give columns by number where a file has no line of names)" : "",
            did_you_mean(name, names));
  }

  // Every column of the first row that nobody asked for by name, as text.
  void take_all(const Row& row) {
    for (const std::string& name : names_of(row))
      if (std::ranges::none_of(columns_, [&](const StoredColumn& c) { return c.wish.name == name; }))
        columns_.push_back(
            {.wish = {name, RGM_TEXT_COLUMN, 0}, .map = {name, name, std::nullopt}, .may_be_empty = true});
  }

  // An answer that was cut off, as the rows of an earlier stage say it, has no end to be learned.
  static bool is_cut(const StoredColumn& column, const Row& row, size_t i) {
    if (!column.map.prompt) return false;
    for (const std::string& key : {column.map.from + ".finished", std::string("finished")}) {
      const auto found = row.find(key);
      if (found == row.end()) continue;
      const Row& value = found->is_array() && i < found->size() ? (*found)[i] : *found;
      return value == 0 || value == false || value == "0";
    }
    return false;
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
              "{0}: \"{1}\" is a list of objects, expected texts; where it is a conversation, say so with columns: "
              "{{{2}: {{messages: {1}}}}}",
              where, name, column);
      require(!is_text || !value->front().is_number(),
              "{}: \"{}\" is a list of numbers, expected texts: a model's tokens are made from text here", where, name);
      require(!has_lists || value->size() == count, "{}: \"{}\" is a list of {}, another list here has {}", where, name,
              value->size(), count);
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
                                 end_of_text_ && !is_cut(columns_[c], row, i), where);
        else if (value)
          columns_[c].add(at(value, i), where);
      }
      rows_.push_back(row_count_);
      ++examples_;
    }
    ++row_count_;
    lists_ |= has_lists;
  }

  // Examples of a unit become neighbours in order_; the split is taken of units, so none lies on both sides.
  void group() {
    const StoredColumn* by = nullptr;
    bool is_asked = false;
    for (StoredColumn& column : columns_) {
      if (!(column.wish.flags & RGM_TOGETHER)) continue;
      is_asked = true;
      // Rows with lists need no column that says what belongs together.
      if (!column.is_present && lists_ && column.wish.kind == RGM_INTEGER_COLUMN) {
        column.is_present = true;
        column.integers = rows_;
      }
      require(column.is_present || (column.wish.flags & RGM_OPTIONAL), "{}: there is no \"{}\" for the column \"{}\"",
              spec_.files.front().string(), column.map.from, column.wish.name);
      if (column.is_present && !by) by = &column;
    }
    std::unordered_map<std::string, size_t> known;
    std::vector<std::vector<int64_t>> units;
    for (int64_t e = 0; e < examples_; ++e) {
      if (!is_asked || !by) {
        units.push_back({e});
        continue;
      }
      const auto [found, is_new] = known.emplace(by->key(e), units.size());
      if (is_new) units.emplace_back();
      units[found->second].push_back(e);
    }
    const std::vector<size_t> prompts = prompts_of(units);
    const size_t count = prompts.empty() ? 0 : *std::ranges::max_element(prompts) + 1;
    const auto n = static_cast<double>(count);
    const auto begin = static_cast<size_t>(std::floor(n * spec_.split_begin));
    const auto end = static_cast<size_t>(std::floor(n * spec_.split_end));
    require(begin < end, "{}: the share from {:g} to {:g} of {} examples is empty", spec_.files.front().string(),
            spec_.split_begin, spec_.split_end, count);
    units_.push_back(0);
    for (size_t u = 0; u < units.size(); ++u) {
      if (prompts[u] < begin || prompts[u] >= end) continue;
      order_.insert(order_.end(), units[u].begin(), units[u].end());
      units_.push_back(static_cast<int64_t>(order_.size()));
    }
    for (const StoredColumn& column : columns_)
      if (column.is_tokens() && column.is_present)
        for (const int64_t e : order_) {
          tokens_ += column.length(e);
          counted_ += column.counted(e, context_);
        }
  }

  // Of every unit the number of its prompt, in the order they come. Several people's rankings of one prompt, and
  // several pairs of answers to it, stay on one side of the split; other units are numbered one by one.
  std::vector<size_t> prompts_of(const std::vector<std::vector<int64_t>>& units) const {
    std::vector<size_t> out(units.size());
    std::iota(out.begin(), out.end(), size_t{0});
    const auto has_prompt = [](const StoredColumn& c) {
      return c.is_tokens() && c.is_present && (c.map.prompt || c.chat);
    };
    const auto asked = std::ranges::find_if(columns_, has_prompt);
    const bool compares =
        std::ranges::count_if(columns_, has_prompt) > 1 ||
        std::ranges::any_of(columns_, [](const StoredColumn& c) { return c.wish.flags & RGM_TOGETHER; });
    if (asked == columns_.end() || !compares) return out;
    std::unordered_map<size_t, size_t> known;
    std::vector<size_t> numbers;
    size_t next = 0;
    for (const std::vector<int64_t>& unit : units) {
      const size_t prompt = asked->prompts[static_cast<size_t>(unit.front())];
      const auto [found, is_new] = known.emplace(prompt, next);
      numbers.push_back(prompt == 0 || is_new ? next++ : found->second);
    }
    return next > 1 ? numbers : out;
  }

  void warn_of_cut() const {
    for (const StoredColumn& column : columns_) {
      if (!column.is_tokens() || !column.is_present) continue;
      const auto cut = std::ranges::count_if(order_, [&](int64_t e) { return column.length(e) > context_; });
      if (cut > 0)
        log::warning("{}: {} of {} examples of \"{}\" are longer than the context of {} tokens and are cut there",
                     spec_.files.front().string(), cut, order_.size(), column.wish.name, context_);
    }
  }

  // Where a prompt fills the row, or nothing follows it, no token of the example counts.
  void warn_of_nothing_to_learn() const {
    for (const StoredColumn& column : columns_) {
      if (!column.is_tokens() || !column.is_present || !(column.map.prompt || column.map.chat)) continue;
      const auto empty = std::ranges::count_if(order_, [&](int64_t e) { return column.counted(e, context_) == 0; });
      const std::string file = spec_.files.front().string();
      const auto all = static_cast<int64_t>(order_.size());
      require(
          empty < all,
          "{}: in none of the {} examples of \"{}\" is there a token to learn: their prompts alone fill the context "
          "of {} tokens, or nothing follows them; give the model a longer context, or let the roles be others",
          file, all, column.wish.name, context_);
      if (empty > 0)
        log::warning(
            "{}: {} of {} examples of \"{}\" have no token to learn, their prompts fill the context of {} tokens", file,
            empty, all, column.wish.name, context_);
    }
  }

  void append_unit(int64_t unit, std::vector<int64_t>& examples) const {
    const auto u = static_cast<size_t>(unit);
    examples.insert(examples.end(), order_.begin() + units_[u], order_.begin() + units_[u + 1]);
  }

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
  bool predicts_first_, end_of_text_;
  std::vector<StoredColumn> columns_;
  std::vector<int32_t> rows_;  // of every example: the row it came from
  int64_t examples_ = 0, tokens_ = 0, counted_ = 0;
  int32_t row_count_ = 0;
  bool lists_ = false, takes_all_ = false;
  std::vector<int64_t> order_, units_;  // unit u has the examples order_[units_[u]] to order_[units_[u + 1]]
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
    require(is_wished, "data: the column \"{}\" is read by nobody here; there are {}{}", map.column, join(names),
            did_you_mean(map.column, names));
  }
  return std::make_unique<ColumnSource>(spec, wishes, std::move(tokenizer), options);
}

}  // namespace rgm
