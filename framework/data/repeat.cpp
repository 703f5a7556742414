// repeat.cpp - a batch several times over, so that the members of an ensemble each read it in one pass.
#include <algorithm>
#include <map>

#include "data/batch.hpp"

namespace rgm {
namespace {

template <class T>
std::vector<T> copies(const std::vector<T>& values, int64_t times) {
  std::vector<T> out;
  out.reserve(values.size() * static_cast<size_t>(times));
  for (int64_t m = 0; m < times; ++m) out.insert(out.end(), values.begin(), values.end());
  return out;
}

// Adds what each copy's numbers are higher by; 0 stays where it says that there is nothing.
void shift(std::vector<int32_t>& values, int64_t times, int64_t by, bool keeps_zero) {
  const size_t each = values.size() / static_cast<size_t>(times);
  for (size_t i = each; i < values.size(); ++i)
    if (!keeps_zero || values[i] != 0) values[i] += static_cast<int32_t>(static_cast<int64_t>(i / each) * by);
}

// The values as 0, 1, ... in the order they come, those of each copy behind the ones before.
void number(std::vector<int32_t>& values, int64_t times) {
  const size_t each = values.size() / static_cast<size_t>(times);
  std::map<int32_t, int32_t> numbers;
  for (size_t i = 0; i < each; ++i) numbers.emplace(values[i], static_cast<int32_t>(numbers.size()));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = numbers.at(values[i]) + static_cast<int32_t>(i / each * numbers.size());
}

}  // namespace

Batch repeated(const Batch& batch, int64_t times, const std::vector<std::string>& together) {
  Batch out;
  out.examples = batch.examples * times;
  for (const auto& [name, column] : batch.columns) {
    BatchColumn& to = out.columns[name];
    to.kind = column.kind;
    to.rows = column.rows * times;
    to.length = column.length;
    to.integers = copies(column.integers, times);
    to.reals = copies(column.reals, times);
    to.texts = copies(column.texts, times);
    to.segments = copies(column.segments, times);
    to.ends = copies(column.ends, times);
    if (column.kind == ColumnKind::integer && std::ranges::count(together, name) > 0) number(to.integers, times);
    if (column.kind != ColumnKind::tokens || column.ends.empty()) continue;
    shift(to.segments, times, static_cast<int64_t>(column.ends.size()), true);
    shift(to.ends, times, column.rows * column.length, false);
  }
  BatchColumn& member = out.columns["member"];
  member.kind = ColumnKind::integer;
  for (int64_t e = 0; e < out.examples; ++e) member.integers.push_back(static_cast<int32_t>(e / batch.examples));
  return out;
}

}  // namespace rgm
