// pack.cpp - several short examples share a row of a batch: where each one goes, and how a batch is packed anew when
// only some of its examples are wanted.
#include <algorithm>

#include "data/batch.hpp"
#include "tensor/captured.hpp"

namespace rgm {
namespace {

struct Layout {
  std::vector<int64_t> row, at, length;  // of every example, as far as it is kept
  int64_t rows = 0, longest = 0;         // tokens of each row, padding included
};

// What a device captures, or prepares, is for one shape: where it does so, rows come in few lengths. Asked of the
// backend and not of its options, so that a run has the same bits with captures and without.
int64_t length_of_rows(int64_t longest, int64_t longest_row) {
  constexpr int64_t step = 128;
  if (!has_current_device() || !knows_capture(current_device().backend())) return longest;
  return std::min((longest + step - 1) / step * step, longest_row);
}

Layout lay_out(std::vector<int64_t> lengths, int64_t longest_row) {
  require(longest_row > 0, "rows of {} tokens cannot be packed", longest_row);
  Layout out;
  std::vector<int64_t> filled;  // of every row
  for (int64_t& length : lengths) {
    require(length > 0, "an example without tokens cannot be packed");
    length = std::min(length, longest_row);
    auto row = std::ranges::find_if(filled, [&](int64_t used) { return used + length <= longest_row; });
    if (row == filled.end()) row = filled.insert(row, 0);
    out.row.push_back(row - filled.begin());
    out.at.push_back(*row);
    *row += length;
  }
  out.length = std::move(lengths);
  out.rows = static_cast<int64_t>(filled.size());
  out.longest = filled.empty() ? 0 : length_of_rows(std::ranges::max(filled), longest_row);
  return out;
}

// An empty tokens column of the layout's size, with segments and ends set.
BatchColumn framed(const Layout& layout) {
  BatchColumn out{.kind = ColumnKind::tokens};
  out.rows = layout.rows;
  out.length = layout.longest;
  const auto size = static_cast<size_t>(out.rows * out.length);
  out.integers.assign(size, 0);
  out.reals.assign(size, 0.0F);
  out.segments.assign(size, 0);
  for (size_t e = 0; e < layout.row.size(); ++e) {
    const int64_t begin = layout.row[e] * out.length + layout.at[e];
    std::fill_n(out.segments.begin() + begin, layout.length[e], static_cast<int32_t>(e + 1));
    out.ends.push_back(static_cast<int32_t>(begin + layout.length[e] - 1));
  }
  return out;
}

// First place of an example in its column.
int64_t begin_of(const BatchColumn& tokens, int64_t example) {
  int64_t at = tokens.ends[static_cast<size_t>(example)];
  while (at % tokens.length > 0 && tokens.segments[static_cast<size_t>(at - 1)] == example + 1) --at;
  return at;
}

template <class T>
std::vector<T> chosen(const std::vector<T>& values, std::span<const int64_t> examples) {
  std::vector<T> out;
  for (const int64_t e : examples) out.push_back(values[static_cast<size_t>(e)]);
  return out;
}

// Packs the chosen examples of `tokens`, and everything in `batch` that is named after it.
void select_tokens(const Batch& batch, const std::string& name, std::span<const int64_t> examples, int64_t longest_row,
                   Batch& out) {
  const BatchColumn& from = batch.columns.at(name);
  std::vector<int64_t> begins, lengths;
  for (const int64_t e : examples) {
    begins.push_back(begin_of(from, e));
    lengths.push_back(from.ends[static_cast<size_t>(e)] + 1 - begins.back());
  }
  const Layout layout = lay_out(std::move(lengths), longest_row);
  const auto copy = [&](const auto& source, auto& target) {
    for (size_t i = 0; i < examples.size(); ++i)
      std::copy_n(source.begin() + begins[i], layout.length[i],
                  target.begin() + layout.row[i] * layout.longest + layout.at[i]);
  };
  BatchColumn to = framed(layout);
  copy(from.integers, to.integers);
  copy(from.reals, to.reals);
  for (const auto& [other, column] : batch.columns) {
    if (column.kind != ColumnKind::per_token || tokens_of(batch, other) != name) continue;
    BatchColumn moved{.kind = ColumnKind::per_token};
    moved.rows = to.rows;
    moved.length = to.length;
    moved.reals.assign(to.reals.size(), 0.0F);
    copy(column.reals, moved.reals);
    out.columns[other] = std::move(moved);
  }
  out.columns[name] = std::move(to);
}

}  // namespace

BatchColumn pack(std::span<const TokenExample> examples, int64_t length, bool predicts_first) {
  std::vector<int64_t> lengths;
  for (const TokenExample& e : examples) {
    require(e.weights.size() == e.ids.size(), "an example has {} tokens and {} weights", e.ids.size(),
            e.weights.size());
    lengths.push_back(static_cast<int64_t>(e.ids.size()));
  }
  const Layout layout = lay_out(std::move(lengths), length);
  BatchColumn out = framed(layout);
  for (size_t e = 0; e < examples.size(); ++e) {
    const int64_t begin = layout.row[e] * out.length + layout.at[e];
    std::copy_n(examples[e].ids.begin(), layout.length[e], out.integers.begin() + begin);
    std::copy_n(examples[e].weights.begin(), layout.length[e], out.reals.begin() + begin);
    if (!predicts_first) out.reals[static_cast<size_t>(begin)] = 0;  // nothing precedes it, so nothing predicts it
  }
  return out;
}

Batch select(const Batch& batch, std::span<const int64_t> examples, int64_t length) {
  for (const int64_t e : examples)
    require(e >= 0 && e < batch.examples, "a batch of {} examples has no example {}", batch.examples, e);
  Batch out;
  out.examples = static_cast<int64_t>(examples.size());
  for (const auto& [name, column] : batch.columns) {
    if (column.kind == ColumnKind::per_token) continue;  // goes with its tokens
    if (column.kind == ColumnKind::tokens) {
      select_tokens(batch, name, examples, length, out);
      continue;
    }
    BatchColumn& to = out.columns[name];
    to.kind = column.kind;
    if (column.kind == ColumnKind::integer) to.integers = chosen(column.integers, examples);
    if (column.kind == ColumnKind::real) to.reals = chosen(column.reals, examples);
    if (column.kind == ColumnKind::text) to.texts = chosen(column.texts, examples);
  }
  return out;
}

}  // namespace rgm
