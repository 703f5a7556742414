// join.cpp - batches as one: their rows one behind the other, as long as the longest, their examples in any order.
#include <algorithm>

#include "base/error.hpp"
#include "data/batch.hpp"

namespace rgm {
namespace {

using Numbers = std::vector<int32_t>;  // of every example of a batch, which one it is of the joined

// Rows of one column as rows of `length`; padding is 0 in all that is kept by token.
template <class T>
void add_rows(const std::vector<T>& from, const BatchColumn& column, int64_t length, std::vector<T>& to) {
  if (from.empty()) return;
  for (auto row = from.begin(); row != from.end(); row += column.length) {
    to.insert(to.end(), row, row + column.length);
    to.resize(to.size() + static_cast<size_t>(length - column.length));
  }
}

template <class T>
void add_examples(const std::vector<T>& from, const Numbers& numbers, size_t examples, std::vector<T>& to) {
  if (from.empty()) return;
  to.resize(examples);
  for (size_t e = 0; e < from.size(); ++e) to[static_cast<size_t>(numbers[e])] = from[e];
}

void add_tokens(const BatchColumn& from, const Numbers& numbers, size_t examples, BatchColumn& to) {
  const auto before = static_cast<int64_t>(to.segments.size());
  add_rows(from.integers, from, to.length, to.integers);
  add_rows(from.reals, from, to.length, to.reals);
  Numbers segments = from.segments;
  for (int32_t& segment : segments)
    if (segment != 0) segment = numbers[static_cast<size_t>(segment - 1)] + 1;
  add_rows(segments, from, to.length, to.segments);
  Numbers ends = from.ends;
  for (int32_t& end : ends) end = static_cast<int32_t>(before + end / from.length * to.length + end % from.length);
  add_examples(ends, numbers, examples, to.ends);
}

}  // namespace

Batch joined(std::span<const Batch* const> batches, const std::vector<int32_t>& order) {
  std::vector<Numbers> numbers(batches.size());
  for (size_t e = 0; e < order.size(); ++e)
    numbers.at(static_cast<size_t>(order[e])).push_back(static_cast<int32_t>(e));
  Batch out;
  out.examples = std::ssize(order);
  for (size_t b = 0; b < batches.size(); ++b)
    require(batches[b]->examples == std::ssize(numbers[b]), "a batch of {} examples is joined as one of {}",
            batches[b]->examples, numbers[b].size());
  for (const auto& [name, first] : batches[0]->columns) {
    BatchColumn& to = out.columns[name];
    to.kind = first.kind;
    for (const Batch* batch : batches) {
      const auto found = batch->columns.find(name);
      require(found != batch->columns.end() && found->second.kind == first.kind &&
                  batch->columns.size() == batches[0]->columns.size(),
              "batches with different columns cannot be joined: not all have \"{}\"", name);
      to.rows += found->second.rows;
      to.length = std::max(to.length, found->second.length);
    }
    for (size_t b = 0; b < batches.size(); ++b) {
      const BatchColumn& from = batches[b]->columns.find(name)->second;
      if (first.kind == ColumnKind::tokens) {
        add_tokens(from, numbers[b], order.size(), to);
      } else if (first.kind == ColumnKind::per_token) {
        add_rows(from.reals, from, to.length, to.reals);
      } else {
        add_examples(from.integers, numbers[b], order.size(), to.integers);
        add_examples(from.reals, numbers[b], order.size(), to.reals);
        add_examples(from.texts, numbers[b], order.size(), to.texts);
      }
    }
  }
  return out;
}

}  // namespace rgm
