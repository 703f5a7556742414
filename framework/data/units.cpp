// units.cpp - examples with equal values of a TOGETHER column as units, and the share of them that is read.
#include "data/units.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <unordered_map>

#include "base/error.hpp"
#include "base/whole.hpp"

namespace rgm {
namespace {

// Of every unit the number of its prompt, in the order they come. Several people's rankings of one prompt, and
// several pairs of answers to it, stay on one side of the split; other units are numbered one by one.
std::vector<size_t> prompts_of(const std::vector<StoredColumn>& columns,
                               const std::vector<std::vector<int64_t>>& units) {
  std::vector<size_t> out(units.size());
  std::iota(out.begin(), out.end(), size_t{0});
  const auto has_prompt = [](const StoredColumn& c) {
    return c.is_tokens() && c.is_present && (c.map.prompt || c.chat);
  };
  const auto asked = std::ranges::find_if(columns, has_prompt);
  const bool compares = std::ranges::count_if(columns, has_prompt) > 1 ||
                        std::ranges::any_of(columns, [](const StoredColumn& c) { return c.wish.flags & RGM_TOGETHER; });
  if (asked == columns.end() || !compares) return out;
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

// The column that says what stays together, if any does.
const StoredColumn* grouping(const DataSpec& spec, std::vector<StoredColumn>& columns, const std::vector<int32_t>& rows,
                             bool lists) {
  const StoredColumn* by = nullptr;
  for (StoredColumn& column : columns) {
    if (!(column.wish.flags & RGM_TOGETHER)) continue;
    // Rows with lists need no column that says what belongs together.
    if (!column.is_present && lists && column.wish.kind == RGM_INTEGER_COLUMN) {
      column.is_present = true;
      column.integers = rows;
    }
    require(column.is_present || (column.wish.flags & RGM_OPTIONAL), "{}: there is no \"{}\" for the column \"{}\"",
            spec.files.front().string(), column.map.from, column.wish.name);
    if (column.is_present && !by) by = &column;
  }
  return by;
}

template <class T>
void number(std::vector<T>& values, const std::vector<int32_t>& copies) {
  std::map<std::pair<int32_t, T>, T> numbers;
  for (size_t e = 0; e < values.size(); ++e)
    values[e] = numbers.emplace(std::pair(copies[e], values[e]), static_cast<T>(numbers.size())).first->second;
}

}  // namespace

Units units_of(const DataSpec& spec, std::vector<StoredColumn>& columns, const std::vector<int32_t>& rows, bool lists) {
  const StoredColumn* const by = grouping(spec, columns, rows, lists);
  std::unordered_map<std::string, size_t> known;
  std::vector<std::vector<int64_t>> units;
  for (int64_t e = 0; e < std::ssize(rows); ++e) {
    if (!by) {
      units.push_back({e});
      continue;
    }
    const auto [found, is_new] = known.emplace(by->key(e), units.size());
    if (is_new) units.emplace_back();
    units[found->second].push_back(e);
  }
  if (spec.rows > 0 && std::ssize(units) > spec.rows) units.resize(static_cast<size_t>(spec.rows));
  const std::vector<size_t> prompts = prompts_of(columns, units);
  const size_t count = prompts.empty() ? 0 : *std::ranges::max_element(prompts) + 1;
  const auto n = static_cast<double>(count);
  const auto begin = static_cast<size_t>(rounded_down(n * spec.split_begin));
  const auto end = static_cast<size_t>(rounded_down(n * spec.split_end));
  require(begin < end, "{}: the share from {:g} to {:g} of {} examples is empty", spec.files.front().string(),
          spec.split_begin, spec.split_end, count);
  Units out;
  for (size_t u = 0; u < units.size(); ++u) {
    if (prompts[u] < begin || prompts[u] >= end) continue;
    out.examples.insert(out.examples.end(), units[u].begin(), units[u].end());
    out.ends.push_back(std::ssize(out.examples));
  }
  return out;
}

void part_copies(BatchColumn& together, const std::vector<int32_t>& copies) {
  if (together.kind == ColumnKind::integer) number(together.integers, copies);
  if (together.kind == ColumnKind::real) number(together.reals, copies);
}

}  // namespace rgm
