// text_source.cpp - windows of a long text. In order they tile it; shuffled, every epoch shifts the tiling and walks it
// in another order, both pure functions of the epoch's number.
#include <algorithm>

#include "base/philox.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "base/whole.hpp"
#include "data/content_hash.hpp"
#include "data/source.hpp"
#include "data/token_file.hpp"

namespace rgm {
namespace {

enum Stream : uint32_t { order_stream, offset_stream };

class TextSource final : public Source {
 public:
  TextSource(std::string column, TokenFile ids, int64_t begin, int64_t end, int64_t context, std::string sum)
      : column_(std::move(column)),
        ids_(std::move(ids)),
        begin_(begin),
        size_(end - begin),
        context_(context),
        sha256_(std::move(sum)) {}

  int64_t units() const override { return (size_ - 1 + context_ - 1) / context_; }
  int64_t tokens() const override { return size_; }
  const std::string& sha256() const override { return sha256_; }
  bool has_fixed_units() const override { return false; }

  int64_t unit_at(int64_t position, uint64_t order_seed) const override {
    require(position >= 0, "the data has no position {}", position);
    const auto epoch = static_cast<uint64_t>(position / units());
    return permuted(position % units(), units(), mix(order_seed, epoch, order_stream));
  }

  // Starts lie on a ring of all places where a whole window fits, so every place is as likely as any other.
  Batch batch(int64_t position, int64_t count, uint64_t order_seed) const override {
    require(count >= 0, "a batch cannot have {} rows", count);
    std::vector<int64_t> starts;
    for (int64_t i = position; i < position + count; ++i) {
      const auto epoch = static_cast<uint64_t>(i / units());
      const auto offset = static_cast<int64_t>(mix(order_seed, epoch, offset_stream) % static_cast<uint64_t>(context_));
      starts.push_back((offset + unit_at(i, order_seed) * context_) % (size_ - context_));
    }
    return rows(starts);
  }

  Batch in_order(int64_t begin, int64_t end) const override {
    require(begin >= 0 && begin <= end && end <= units(), "the data has {} windows, {} to {} were asked for", units(),
            begin, end);
    std::vector<int64_t> starts;
    for (int64_t i = begin; i < end; ++i) starts.push_back(i * context_);
    return rows(starts);
  }

 private:
  Batch rows(const std::vector<int64_t>& starts) const {
    const auto length_at = [&](int64_t start) { return std::min(context_ + 1, size_ - start); };
    Batch out;
    out.examples = static_cast<int64_t>(starts.size());
    BatchColumn& column = out.columns[column_];
    column.kind = ColumnKind::tokens;
    column.rows = out.examples;
    for (const int64_t start : starts) column.length = std::max(column.length, length_at(start));
    const auto cells = static_cast<size_t>(column.rows * column.length);
    column.integers.assign(cells, 0);
    column.segments.assign(cells, 0);
    column.reals.assign(cells, 0.0F);
    for (int64_t row = 0; row < column.rows; ++row) {
      const int64_t start = starts[static_cast<size_t>(row)], n = length_at(start), at = row * column.length;
      ids_.copy(begin_ + start, n, column.integers.data() + at);
      std::fill_n(column.segments.begin() + at, n, static_cast<int32_t>(row + 1));
      std::fill_n(column.reals.begin() + at + 1, n - 1, 1.0F);  // nothing precedes the first token
      column.ends.push_back(static_cast<int32_t>(at + n - 1));
    }
    return out;
  }

  std::string column_;
  TokenFile ids_;
  int64_t begin_, size_, context_;
  std::string sha256_;
};

// The id that all of the text's tokens have; -1 where two differ, which is seldom far from the start.
int32_t only_token(const TokenFile& ids) {
  std::vector<int32_t> piece(static_cast<size_t>(std::min<int64_t>(ids.count(), 4096)));
  int32_t first = -1;
  for (int64_t at = 0; at < ids.count(); at += static_cast<int64_t>(piece.size())) {
    const int64_t n = std::min<int64_t>(ids.count() - at, static_cast<int64_t>(piece.size()));
    ids.copy(at, n, piece.data());
    if (first < 0) first = piece[0];
    if (!std::all_of(piece.begin(), piece.begin() + n, [&](int32_t id) { return id == first; })) return -1;
  }
  return first;
}

}  // namespace

std::unique_ptr<Source> open_text(const DataSpec& spec, const ColumnWish& wish,
                                  const std::shared_ptr<const Tokenizer>& tokenizer, const SourceOptions& options) {
  require(!spec.files.empty(), "text: no files were found; name a .txt file or a folder that holds some");
  require(wish.kind == RGM_TOKENS_COLUMN,
          "text: gives tokens, but column \"{}\" does not hold tokens; use jsonl, csv, tsv or parquet", wish.name);
  require(tokenizer != nullptr, "text: needs a tokenizer");
  const int64_t context = wish.flags & RGM_STATES ? options.context - 1 : options.context;
  require(context > 0, "text: a context of {} tokens makes no windows", options.context);
  const std::string name = spec.files.size() == 1
                               ? spec.files[0].string()
                               : fmt::format("{} and {} more", spec.files[0].string(), spec.files.size() - 1);
  const std::string content = content_hash(spec.files, options.cache);
  TokenFile ids = TokenFile::open(spec.files, content, *tokenizer, options.cache);
  require(ids.count() > 0, "{}: is empty", name);
  const int64_t windows = (ids.count() - 1) / context + 1;  // the last one may be short, or empty
  const bool is_cut = spec.rows > 0 && spec.rows < windows;
  // Rounded down, as everybody does who holds out the last tenth of a text.
  const auto n = static_cast<double>(is_cut ? spec.rows * context + 1 : ids.count());
  const int64_t begin = rounded_down(n * spec.split_begin), end = rounded_down(n * spec.split_end);
  require(end - begin > context, "{}: has {} tokens{}, a {} of {} needs at least {}; use a longer text or {}", name,
          count_for_people(static_cast<uint64_t>(std::max<int64_t>(end - begin, 0))),
          end - begin < ids.count()
              ? fmt::format(" in the share from {:g} to {:g}{} that is used here", spec.split_begin, spec.split_end,
                            is_cut ? fmt::format(" of its first {} windows", spec.rows) : "")
              : "",
          options.by_length ? "length" : "context", options.context, options.context + 1,
          options.by_length ? "a smaller length" : "shorter windows, as with length: TOKENS");
  if (const int32_t id = only_token(ids); id >= 0)
    throw Error(
        RGM_INVALID,
        fmt::format("{}: all of its {} tokens are \"{}\", which leaves nothing to learn; is this the text you meant?",
                    name, count_for_people(static_cast<uint64_t>(ids.count())), tokenizer->decode(std::span(&id, 1))));
  std::string sum = sha256(fmt::format("text {} {} {}{}", content, spec.split_begin, spec.split_end,
                                       spec.rows > 0 ? fmt::format(" of {} windows", spec.rows) : ""));
  return std::make_unique<TextSource>(wish.name, std::move(ids), begin, end, context, std::move(sum));
}

}  // namespace rgm
