// column_source.cpp - examples from files with rows, kept in memory and drawn in units.
#include <algorithm>
#include <unordered_map>

#include "base/philox.hpp"
#include "base/sha256.hpp"
#include "data/column_checks.hpp"
#include "data/column_reader.hpp"
#include "data/content_hash.hpp"
#include "data/source.hpp"
#include "data/stored_column.hpp"
#include "data/units.hpp"
#include "data/wished_columns.hpp"

namespace rgm {
namespace {

class ColumnSource final : public Source {
 public:
  ColumnSource(const DataSpec& spec, const std::vector<ColumnWish>& wishes, const Tokenizer* tokenizer,
               const SourceOptions& options)
      : context_(options.context), predicts_first_(options.predicts_first) {
    WishedColumns wished = wished_columns(spec, wishes, tokenizer, options);
    const ReadRows read = read_rows(spec, wished, tokenizer, options);
    columns_ = std::move(wished.columns);
    const std::string content = content_hash(spec.files, options.cache);
    sha256_ = rgm::sha256(fmt::format("{} {} {} {}{}{}{}", spec.format, content, spec.split_begin, spec.split_end,
                                      wished.mapping, read.recognised,
                                      spec.rows > 0 ? fmt::format(" of {} units", spec.rows) : ""));
    units_ = units_of(spec, columns_, read.rows, read.have_lists);
    for (const StoredColumn& column : columns_)
      if (column.is_tokens() && column.is_present)
        for (const int64_t e : units_.examples) {
          tokens_ += column.length(e);
          counted_ += column.counted(e, context_);
        }
    check_columns(spec, columns_, std::ssize(read.rows), units_.examples, options);
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
  Batch gather(const std::vector<int64_t>& examples) const {
    Batch out;
    out.examples = static_cast<int64_t>(examples.size());
    for (const StoredColumn& column : columns_)
      if (column.is_present) out.columns.emplace(column.wish.name, column.gather(examples, context_, predicts_first_));
    return out;
  }

  int64_t context_;
  bool predicts_first_;
  std::vector<StoredColumn> columns_;
  Units units_;
  int64_t tokens_ = 0, counted_ = 0;
  std::string sha256_;
};

}  // namespace

std::unique_ptr<Source> open_columns(const DataSpec& spec, const std::vector<ColumnWish>& wishes,
                                     const std::shared_ptr<const Tokenizer>& tokenizer, const SourceOptions& options) {
  require(!spec.files.empty(), "data: no files were found");
  return std::make_unique<ColumnSource>(spec, wishes, tokenizer.get(), options);
}

}  // namespace rgm
